import { bodyLimit, pythonApp } from 'monoceros'

const flask = pythonApp('notes:create_app()', {
  pythonpath: 'python',
  workers: process.env.NODE_ENV === 'production' ? 2 : 1,
  reload: process.env.NODE_ENV === 'development',
})

/** Flask, as a value: routes mount it. */
export const notes = bodyLimit({ maxBytes: 64 * 1024 })(flask)
