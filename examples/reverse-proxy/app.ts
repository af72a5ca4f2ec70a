import { demoApp, makeServer, type WSGIApplication } from 'monoceros'
import { proxy } from './proxy.ts'

const site: WSGIApplication = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode('This is the site itself.\n')]
}

/** The application: the site, with another server at /other. */
export async function create(): Promise<WSGIApplication> {
  const target = process.env.OTHER_SERVER ?? (await startDemo())
  return proxy({ prefix: '/other', target })(site)
}

/** Something to look at: a server that shows the request as it arrives there. */
async function startDemo(): Promise<string> {
  const server = makeServer('127.0.0.1', 0, demoApp, { log: false })
  const { url } = await server.listening
  void server.serveForever()
  return url
}
