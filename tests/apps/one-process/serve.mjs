import { createJiti } from 'jiti'
import { makeServer } from 'monoceros'

// The same applications in a program of one's own: with the reference server, in this very process.

const { app, api, admin } = await createJiti(import.meta.url).import('./app.ts')
const httpd = makeServer('127.0.0.1', 0, app, { log: false })
process.once('SIGTERM', () => httpd.shutdown())
const { url } = await httpd.listening
console.log(`Listening at ${url}`)
await httpd.serveForever()
await Promise.all([api.close(), admin.close()])
