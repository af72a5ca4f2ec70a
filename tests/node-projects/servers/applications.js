import { pythonApp } from 'monoceros'

export { app as site } from './site.js'

export const shop = pythonApp('shop:app', {
  threads: 8,
  reload: process.env.NODE_ENV !== 'production',
})

/** Says where a server listens, and ends it with SIGTERM. */
export function started(server) {
  console.log(`Listening at http://127.0.0.1:${server.address().port}`)
  process.once('SIGTERM', () => {
    server.close(() => shop.close())
    server.closeAllConnections?.()
  })
}
