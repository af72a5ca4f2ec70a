import formbody from '@fastify/formbody'
import fastify from 'fastify'
import { toFastifyPlugin } from 'monoceros'
import { shop, site, started } from './applications.js'

const app = fastify()
app.register(formbody) // for Fastify's own routes; the applications read their bodies themselves
app.register(toFastifyPlugin(shop), { prefix: '/py' })
app.register(toFastifyPlugin(site), { prefix: '/ts' })
app.post('/echo', async (request) => request.body)

await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' })
started(app.server)
