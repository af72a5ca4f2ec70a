import { createServer } from 'node:http'
import { dispatcher, toNodeHandler } from 'monoceros'
import { shop, site, started } from './applications.js'

const nothing = (_environ, startResponse) => {
  startResponse('404 Not Found', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode('Not Found\n')]
}
const server = createServer(toNodeHandler(dispatcher(nothing, { '/py': shop, '/ts': site })))
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => started(server))
