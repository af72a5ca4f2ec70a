/**
 * The part of the public API that runs on every runtime with `fetch`: Cloudflare Workers, Deno,
 * Bun, browsers and Node.js. It imports no module of Node.js, and uses none of its globals.
 *
 * - The contract of PEP 3333, as far as applications and middleware need it
 * - The adapters to and from fetch
 * - The ten middlewares that need no Node.js; the others are in `monoceros`
 *
 * @example
 * // A Worker whose handler is a WSGI application.
 * import { cors, toFetchHandler, type WSGIApplication } from 'monoceros/fetch'
 *
 * const app: WSGIApplication = (environ, startResponse) => {
 *   startResponse('200 OK', [['Content-Type', 'text/plain']])
 *   return [new TextEncoder().encode(`Hello ${environ.PATH_INFO}\n`)]
 * }
 * export default { fetch: toFetchHandler(cors()(app)) }
 */
export { ConsumedBodyError } from './adapters/consumed-body-error.ts'
export { type FromFetchOptions, fromFetchHandler } from './adapters/from-fetch-handler.ts'
export type { MountOptions } from './adapters/mount.ts'
export {
  type FetchHandler,
  type FetchHandlerOptions,
  toFetchHandler,
} from './adapters/to-fetch-handler.ts'
export {
  type BodyLimitOptions,
  BodyTooLargeError,
  bodyLimit,
} from './middleware/body-limit/body-limit.ts'
export { compose } from './middleware/compose/compose.ts'
export { type CorsOptions, cors, type OriginRule } from './middleware/cors/cors.ts'
export { dispatcher, type MountKey, type Mounts } from './middleware/dispatcher/dispatcher.ts'
export { escapeLogText, type LogFormat, type LogRecord } from './middleware/logger/log-formats.ts'
export { type LoggerOptions, logger } from './middleware/logger/logger.ts'
export { type Method, type MethodTable, methods } from './middleware/methods/methods.ts'
export type { OptionError } from './middleware/option-error.ts'
export {
  type Profiler,
  type ProfilerOptions,
  profiler,
  type RequestProfile,
} from './middleware/profiler/profiler.ts'
export type { RequestTiming, TimingEntry } from './middleware/profiler/request-timing.ts'
export type { RouteSummary } from './middleware/profiler/route-summary.ts'
export {
  type ProxyFixOptions,
  type ProxyFixOriginal,
  proxyFix,
} from './middleware/proxy-fix/proxy-fix.ts'
export { type RequestIdOptions, requestId } from './middleware/request-id/request-id.ts'
export { ResponseTimeoutError, type TimeoutOptions, timeout } from './middleware/timeout/timeout.ts'
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
  Bytes,
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
