import type { IncomingMessage, ServerResponse } from 'node:http'
import type { WSGIApplication } from '../wsgi/types.ts'
import { checkOptionNames } from './mount.ts'
import { NODE_HANDLER_OPTIONS, type NodeHandlerOptions, toNodeHandler } from './to-node-handler.ts'

/** What is used of a context of Koa. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly originalUrl: string
  respond?: boolean | undefined
}

/** A middleware for Koa. */
export type KoaMiddleware = (context: KoaContext, next: () => Promise<unknown>) => Promise<void>

/**
 * Turns a WSGI application, in TypeScript or in Python, into a middleware for Koa 2 and 3.
 *
 * With the option `scriptName` the application is mounted there, and requests for other paths go to
 * the next middleware. Under `koa-mount` it needs no option. Headers that middleware has set before
 * stay, unless the application sets them; what middleware does after `await next()` is too late for
 * the response.
 *
 * @throws WSGIError if `app` is not an application
 * @throws TypeError (`bad-option`) for a `scriptName` that is not a path, or an unknown option
 * @example
 * import Koa from 'koa'
 * import { pythonApp, toKoaMiddleware } from 'monoceros'
 *
 * const koa = new Koa()
 * koa.use(toKoaMiddleware(pythonApp('flaskapp:app'), { scriptName: '/api' }))
 */
export function toKoaMiddleware(
  app: WSGIApplication,
  options: NodeHandlerOptions = {},
): KoaMiddleware {
  checkOptionNames('toKoaMiddleware', options, NODE_HANDLER_OPTIONS)
  const handler = toNodeHandler(app, options)
  return function wsgiMiddleware(context, next) {
    const { req: request, res: response, respond } = context
    // koa-mount shortens the address of the request; this is how Connect keeps the whole one.
    const connected = request as { originalUrl?: string }
    connected.originalUrl ??= context.originalUrl
    return new Promise((resolve, reject) => {
      response.once('close', resolve)
      context.respond = false
      handler(request, response, (error) => {
        context.respond = respond
        if (error !== undefined) reject(error)
        else resolve(next().then(() => {}))
      })
    })
  }
}
