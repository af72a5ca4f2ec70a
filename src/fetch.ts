/**
 * The part of the public API that runs on every runtime with `fetch`: Cloudflare Workers, Deno,
 * Bun, browsers and Node.js. It imports no module of Node.js.
 *
 * @example
 * // A Worker whose handler is a WSGI application.
 * import { toFetchHandler, type WSGIApplication } from 'monoceros/fetch'
 *
 * const app: WSGIApplication = (environ, startResponse) => {
 *   startResponse('200 OK', [['Content-Type', 'text/plain']])
 *   return [new TextEncoder().encode(`Hello ${environ.PATH_INFO}\n`)]
 * }
 * export default { fetch: toFetchHandler(app) }
 */
export { ConsumedBodyError } from './adapters/consumed-body-error.ts'
export { type FromFetchOptions, fromFetchHandler } from './adapters/from-fetch-handler.ts'
export type { MountOptions } from './adapters/mount.ts'
export {
  type FetchHandler,
  type FetchHandlerOptions,
  toFetchHandler,
} from './adapters/to-fetch-handler.ts'
export { isApplication, toFunction } from './wsgi/application.ts'
export { abortSignal, ClientGoneError } from './wsgi/client-gone.ts'
export { demoApp } from './wsgi/demo-app.ts'
export { errorStream } from './wsgi/error-stream.ts'
export { type HeaderParameters, Headers } from './wsgi/headers.ts'
export { InputError, readChunks } from './wsgi/input-stream.ts'
export { applicationUri, requestUri } from './wsgi/request-uri.ts'
export { shiftPathInfo } from './wsgi/shift-path-info.ts'
export { decodeText, encodeText } from './wsgi/text.ts'
export type {
  ErrorStream,
  InputStream,
  Middleware,
  ResponseHeaders,
  StartResponse,
  Write,
  WSGIApplication,
  WSGIBody,
  WSGIEnvironment,
  WSGIFunction,
  WSGIObject,
} from './wsgi/types.ts'
export { ViolationError, validator } from './wsgi/validator.ts'
export { WSGIError } from './wsgi/wsgi-error.ts'
