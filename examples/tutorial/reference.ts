import { makeServer } from 'monoceros'
import { app } from './append.ts'

const httpd = makeServer('', 8000, app)
const { port } = await httpd.listening
console.log(`Listening at http://localhost:${port}`)
await httpd.serveForever()
