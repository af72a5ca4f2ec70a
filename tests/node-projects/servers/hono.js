import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { toFetchHandler } from 'monoceros'
import { shop, site, started } from './applications.js'

const app = new Hono()
const python = toFetchHandler(shop, { scriptName: '/py' })
const typescript = toFetchHandler(site, { scriptName: '/ts' })
app.all('/py/*', (c) => python(c.req.raw)) // also for /py itself
app.all('/ts/*', (c) => typescript(c.req.raw))
app.post('/echo', async (c) => c.json(await c.req.parseBody()))

const port = Number(process.env.PORT ?? 3000)
const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () => started(server))
