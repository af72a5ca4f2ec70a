import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { WSGIApplication } from '../wsgi/types.ts'
import { describeValue } from '../wsgi/wsgi-error.ts'
import { checkOptionNames, type MountOptions } from './mount.ts'
import { type NodeHandlerOptions, toNodeHandler } from './to-node-handler.ts'

/** Options of {@link toFastifyPlugin}. The mount is the `prefix` of `register`. */
export type FastifyPluginOptions = Omit<NodeHandlerOptions, keyof MountOptions>

/** What is used of an instance of Fastify. */
export interface FastifyScope {
  readonly prefix: string
  removeAllContentTypeParsers(): void
  // biome-ignore lint/suspicious/noExplicitAny: Fastify's own types are generic in what is read
  addContentTypeParser(type: string, parser: (...parameters: any[]) => void): unknown
  // biome-ignore lint/suspicious/noExplicitAny: the handler gets Fastify's request and reply
  all(path: string, handler: (request: any, reply: any) => unknown): unknown
}

/** What is used of a request and a reply of Fastify. */
interface FastifyRequest {
  readonly raw: IncomingMessage | Http2ServerRequest
}
interface FastifyReply {
  readonly raw: ServerResponse | Http2ServerResponse
  getHeaders(): Record<string, number | string | string[] | undefined>
  hijack(): unknown
  callNotFound(): unknown
}

/** A plugin for Fastify, to be registered. */
export type FastifyPlugin = (
  scope: FastifyScope,
  options: object,
  done: (error?: Error) => void,
) => void

/**
 * Turns a WSGI application, in TypeScript or in Python, into a plugin for Fastify 5.
 *
 * The application is mounted at the `prefix` of `register`, which becomes `SCRIPT_NAME`; it answers
 * the prefix itself, too. The parsers of bodies do not apply to it, and Fastify's `bodyLimit` does
 * not either: the application reads its body itself. Hooks such as `onRequest` and `onResponse`
 * run, and headers that they set stay unless the application sets them; `preSerialization` and
 * `onSend` do not run, because the response is not Fastify's.
 *
 * @throws WSGIError if `app` is not an application
 * @throws TypeError (`bad-option`) for an unknown option
 * @throws TypeError (`bad-option`) when it is registered with a prefix that has parameters
 * @example
 * import fastify from 'fastify'
 * import { pythonApp, toFastifyPlugin } from 'monoceros'
 *
 * const server = fastify()
 * server.register(toFastifyPlugin(pythonApp('flaskapp:app')), { prefix: '/api' })
 */
export function toFastifyPlugin(
  app: WSGIApplication,
  options: FastifyPluginOptions = {},
): FastifyPlugin {
  // A mount here would be lost: Fastify has it as the prefix.
  checkOptionNames('toFastifyPlugin', options, ['errors', 'passErrors'])
  toNodeHandler(app, options) // a wrong application is reported here, where it was written
  return function wsgiPlugin(scope, _options, done) {
    const scriptName = scope.prefix.replace(/\/$/, '')
    if (/[:*]/.test(scriptName)) {
      const text =
        'toFastifyPlugin: the prefix must not have parameters or wildcards, ' +
        `such as "/api", not ${describeValue(scope.prefix)}`
      // Fastify does not catch what is thrown here.
      done(Object.assign(new TypeError(text), { code: 'bad-option' }))
      return
    }
    const handler = toNodeHandler(app, { ...options, scriptName })
    // Only in this scope: others go on to parse theirs.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null))
    const answer = (request: FastifyRequest, reply: FastifyReply) => {
      const { raw } = reply
      const headers = reply.getHeaders()
      for (const name in headers) {
        const value = headers[name]
        if (value !== undefined) raw.setHeader(name, value)
      }
      return new Promise<void>((resolve, reject) => {
        // The reply stays Fastify's until it is over, so that an error can be passed to it.
        raw.once('close', () => {
          reply.hijack()
          resolve()
        })
        handler(request.raw, raw, (error) => {
          if (error !== undefined) reject(error)
          else reply.callNotFound()
        })
      })
    }
    scope.all('/', answer)
    scope.all('/*', answer)
    done()
  }
}
