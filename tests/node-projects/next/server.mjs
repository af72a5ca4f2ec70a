import { createServer } from 'node:http'
import { pythonApp, toNodeHandler } from 'monoceros'
import next from 'next'

const dev = process.env.NODE_ENV !== 'production'
const port = Number(process.env.PORT ?? 3000)
const site = next({ dev })
await site.prepare()
const pages = site.getRequestHandler()
const shop = toNodeHandler(pythonApp('shop:app', { reload: dev }), { scriptName: '/py' })

createServer((request, response) => {
  shop(request, response, () => pages(request, response))
}).listen(port, () => console.log(`Ready on http://localhost:${port}`))
