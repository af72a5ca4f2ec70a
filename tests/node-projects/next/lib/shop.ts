import { pythonApp } from 'monoceros'

export const shop = pythonApp('shop:app', {
  reload: process.env.NODE_ENV === 'development',
  // The App Router and the Pages Router have a copy of this module each.
  shared: true,
})
