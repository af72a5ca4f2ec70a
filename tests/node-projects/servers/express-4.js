import express from 'express-4'
import { toNodeHandler } from 'monoceros'
import { shop, site, started } from './applications.js'

const app = express()
app.use('/py', toNodeHandler(shop)) // before body parsers: an application reads its body itself
app.use('/ts', toNodeHandler(site))
app.use(express.json())
app.use(express.urlencoded({ extended: false }))
app.post('/echo', (request, response) => {
  response.json(request.body)
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => started(server))
