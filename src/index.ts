/**
 * The public API. Whatever is not exported here, from `monoceros/fetch` or `monoceros/testing`, may
 * change in any release.
 *
 * - The contract of PEP 3333: types, the helpers of `wsgiref`, the validator
 * - Servers: `serve`, as the `monoceros` command does, and the reference server `makeServer`
 * - Middleware: wraps applications
 * - Python applications: `pythonApp`
 * - Adapters: to and from `node:http` and fetch
 *
 * The test client is `monoceros/testing`; `monoceros/fetch` runs where there is no Node.js.
 *
 * @example
 * import {
 *   compose,
 *   dispatcher,
 *   errorHandler,
 *   makeServer,
 *   pythonApp,
 *   requestId,
 *   type WSGIApplication,
 * } from 'monoceros'
 *
 * const site: WSGIApplication = (environ, startResponse) => {
 *   startResponse('200 OK', [['Content-Type', 'text/plain']])
 *   return [new TextEncoder().encode('Hello from TypeScript\n')]
 * }
 * const app = dispatcher(site, { '/api': pythonApp('flaskapp:app') })
 * await makeServer('', 8000, compose(requestId(), errorHandler())(app)).serveForever()
 */

// The contract of PEP 3333: types, the helpers of wsgiref, the validator.

export { isApplication, toFunction } from './wsgi/application.ts'
export { type BodySteps, mapBody, transformBody } from './wsgi/body.ts'
export { abortSignal, ClientGoneError } from './wsgi/client-gone.ts'
export { demoApp } from './wsgi/demo-app.ts'
export { makeEnviron, type RequestFacts } from './wsgi/environ.ts'
export { consoleErrors, errorStream } from './wsgi/error-stream.ts'
export { FileWrapper } from './wsgi/file-wrapper.ts'
export { guessScheme } from './wsgi/guess-scheme.ts'
export { isHopByHop } from './wsgi/head-rules.ts'
export { type HeaderParameters, Headers } from './wsgi/headers.ts'
export { InputError, readChunks } from './wsgi/input-stream.ts'
export { applicationUri, requestUri } from './wsgi/request-uri.ts'
export { shiftPathInfo } from './wsgi/shift-path-info.ts'
export { setupTestingDefaults } from './wsgi/testing-defaults.ts'
export { decodeText, encodeText } from './wsgi/text.ts'
export type {
  Bytes,
  ErrorStream,
  FileLike,
  FileWrapperConstructor,
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
export { type Offender, ViolationError, validator } from './wsgi/validator.ts'
export { type Rule, WSGIError } from './wsgi/wsgi-error.ts'

// Servers: `serve`, as the `monoceros` command does, and the reference server `makeServer`.

export { type ServeOptions, serve } from './arbiter/serve.ts'
export { type Config, defineConfig } from './config/define-config.ts'
export type { LoadedSettings, SettingsSources } from './config/load-settings.ts'
export { loadSettings } from './config/load-when-called.ts'
export type { LogLevel } from './logging/error-log.ts'
export {
  makeServer,
  type ServerAddress,
  type ServerOptions,
  WSGIServer,
} from './reference-server/make-server.ts'
export type {
  EndedHookWorker,
  HookLog,
  HookServer,
  HookWorker,
} from './runtimes/node/hook-types.ts'
export { SettingsError, type SettingsErrorCode } from './settings/settings-error.ts'
export type { Settings } from './settings/table.ts'
export { version } from './settings/version.ts'

// Middleware: each function takes options and returns a middleware.

export type { Encoding } from './content-coding/coding.ts'
export {
  type BodyLimitOptions,
  BodyTooLargeError,
  bodyLimit,
} from './middleware/body-limit/body-limit.ts'
export { compose } from './middleware/compose/compose.ts'
export { type CompressOptions, compress } from './middleware/compress/compress.ts'
export { type ConditionalOptions, conditional } from './middleware/conditional/conditional.ts'
export { type CorsOptions, cors, type OriginRule } from './middleware/cors/cors.ts'
export { dispatcher, type MountKey, type Mounts } from './middleware/dispatcher/dispatcher.ts'
export {
  type ErrorEntry,
  type ErrorHandlerOptions,
  errorHandler,
  type RenderedError,
} from './middleware/error-handler/error-handler.ts'
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
export {
  type PrecompressedEncoding,
  type StaticFiles,
  type StaticFilesOptions,
  staticFiles,
} from './middleware/static-files/static-files.ts'
export { ResponseTimeoutError, type TimeoutOptions, timeout } from './middleware/timeout/timeout.ts'

// Python applications.

export { type PythonApplication, pythonApp } from './python-app/python-app.ts'
export {
  PythonBrokenError,
  PythonError,
  PythonLoadError,
  PythonOptionError,
  type PythonUnavailableCode,
  PythonUnavailableError,
} from './python-app/python-error.ts'
export type { PythonLog, PythonLogEntry } from './python-app/python-log.ts'
export type { PythonAppOptions } from './python-app/python-options.ts'
export type { PythonReloadEvent } from './python-app/python-reload-event.ts'

// Adapters: to and from `node:http` and fetch.

export { ConsumedBodyError } from './adapters/consumed-body-error.ts'
export { type FromFetchOptions, fromFetchHandler } from './adapters/from-fetch-handler.ts'
export { fromNodeHandler, type NodeListener } from './adapters/from-node-handler.ts'
export type { MountOptions } from './adapters/mount.ts'
export {
  type FastifyPlugin,
  type FastifyPluginOptions,
  type FastifyScope,
  toFastifyPlugin,
} from './adapters/to-fastify-plugin.ts'
export {
  type FetchHandler,
  type FetchHandlerOptions,
  toFetchHandler,
} from './adapters/to-fetch-handler.ts'
export {
  type KoaContext,
  type KoaMiddleware,
  toKoaMiddleware,
} from './adapters/to-koa-middleware.ts'
export {
  type NodeHandler,
  type NodeHandlerOptions,
  toNodeHandler,
} from './adapters/to-node-handler.ts'
