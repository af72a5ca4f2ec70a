// Servers for tests/release/framework-edges.test.ts, each with something at its edges: errors that
// are passed on, bodies that were read before, other middleware around.
import { serve } from '@hono/node-server'
import express from 'express'
import { Hono } from 'hono'
import Koa from 'koa'
import { toFetchHandler, toKoaMiddleware, toNodeHandler } from 'monoceros'
import { app as site } from './site.js'

const host = '127.0.0.1'
const servers = {}

const app = express()
app.use('/before', express.urlencoded(), toNodeHandler(site))
app.use('/raw', express.raw({ type: '*/*' }), toNodeHandler(site))
app.use('/passed', toNodeHandler(site, { passErrors: true }))
app.use(toNodeHandler(site, { scriptName: '/named' }))
app.get('/own', (_request, response) => response.send('own'))
app.use((error, _request, response, _next) => {
  response.status(418).json({ handled: error.message })
})
servers.express = app.listen(0, host)

const koa = new Koa()
const koaErrors = []
koa.on('error', (error) => koaErrors.push(error.message))
koa.use(async (context, next) => {
  context.set('X-Framework', 'koa')
  await next()
})
koa.use(toKoaMiddleware(site, { scriptName: '/logged' }))
koa.use(toKoaMiddleware(site, { scriptName: '/passed', passErrors: true }))
koa.use((context) => {
  context.body = context.path === '/errors' ? koaErrors : 'own'
})
servers.koa = koa.listen(0, host)

const hono = new Hono()
const passed = toFetchHandler(site, { scriptName: '/passed', passErrors: true })
hono.all('/passed/*', (c) => passed(c.req.raw))
hono.mount('/mounted', toFetchHandler(site, { scriptName: '/mounted', scriptNameStripped: true }))
hono.onError((error, c) => c.json({ handled: error.message }, 418))
servers.hono = serve({ fetch: hono.fetch, port: 0, hostname: host })

for (const [name, server] of Object.entries(servers)) {
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
  console.log(`${name} http://${host}:${server.address().port}`)
}
process.once('SIGTERM', () => {
  for (const server of Object.values(servers)) {
    server.close()
    server.closeAllConnections()
  }
})
