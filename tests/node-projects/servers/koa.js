import Koa from 'koa'
import { toKoaMiddleware } from 'monoceros'
import { shop, site, started } from './applications.js'

const app = new Koa()
app.use(toKoaMiddleware(shop, { scriptName: '/py' }))
app.use(toKoaMiddleware(site, { scriptName: '/ts' }))
app.use((context) => {
  context.body = 'Hello from Koa'
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => started(server))
