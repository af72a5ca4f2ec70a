import Koa from 'koa'
import mount from 'koa-mount'
import { toKoaMiddleware } from 'monoceros'
import { shop, site, started } from './applications.js'

const app = new Koa()
app.use(mount('/py', toKoaMiddleware(shop)))
app.use(mount('/ts', toKoaMiddleware(site)))

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => started(server))
