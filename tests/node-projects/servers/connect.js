import { createServer } from 'node:http'
import connect from 'connect'
import { toNodeHandler } from 'monoceros'
import { shop, site, started } from './applications.js'

const app = connect()
app.use('/py', toNodeHandler(shop))
app.use('/ts', toNodeHandler(site))

const server = createServer(app)
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => started(server))
