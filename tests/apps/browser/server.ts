import type { AddressInfo } from 'node:net'
import express from 'express'
import { pythonApp, toNodeHandler } from 'monoceros'

const flask = pythonApp('guestbook:app', { chdir: 'python', workers: 2 })
await flask.ready() // not before Python answers, and not at all where it cannot

const app = express()
app.use('/py', toNodeHandler(flask)) // in front of body parsers: Flask reads its forms itself
app.use(express.urlencoded())
app.use(express.static('dist'))
app.post('/echo', (request, response) => {
  response.json(request.body)
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', (error) => {
  if (error) throw error
  console.log(`Listening at http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
process.once('SIGTERM', () => server.close(() => flask.close()))
