/**
 * What is an application to the compiler, and what is not. Nothing here runs: `npm run typecheck`
 * compiles it, and reports each
 * `@ts-expect-error` under which nothing is wrong. `type-checks.test.ts` shows that it does.
 */
import { Readable } from 'node:stream'
import type {
  Middleware,
  ResponseHeaders,
  StartResponse,
  WSGIApplication,
  WSGIBody,
  WSGIEnvironment,
  WSGIFunction,
  WSGIObject,
} from '../../../src/wsgi/types.ts'
import { ViolationError, validator } from '../../../src/wsgi/validator.ts'

declare const environ: WSGIEnvironment
declare const startResponse: StartResponse
declare const bytes: Uint8Array
declare const app: WSGIApplication

// An application is a function, or an object with wsgi().

const plain = ((_, start) => {
  start('200 OK', [['Content-Type', 'text/plain']])
  return [bytes]
}) satisfies WSGIApplication

const asynchronous = (async (_, start) => {
  start('200 OK', [])
  return [bytes]
}) satisfies WSGIApplication

const generator = function* (_: WSGIEnvironment, start: StartResponse) {
  start('200 OK', [])
  yield bytes
} satisfies WSGIApplication

const asyncGenerator = async function* (_: WSGIEnvironment, start: StartResponse) {
  start('200 OK', [])
  yield bytes
} satisfies WSGIApplication

const withoutArguments = (() => []) satisfies WSGIApplication
const withEnvironOnly = ((given) => [
  given['wsgi.errors'].write('a\n') ?? bytes,
]) satisfies WSGIApplication
const object = {
  wsgi: (_, start) => [bytes].slice(start('200 OK', []).length),
} satisfies WSGIApplication

class Greeter implements WSGIObject {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
  async wsgi(_: WSGIEnvironment, start: StartResponse): Promise<WSGIBody> {
    start('200 OK', [['X-Name', this.name]])
    return [bytes]
  }
}
const instance = new Greeter('a') satisfies WSGIApplication
/** As Express applications are: a function with methods. */
const functionWithMethods = Object.assign(plain, {
  close: async () => {},
}) satisfies WSGIApplication
const promised = (() => Promise.resolve(Readable.from([bytes]))) satisfies WSGIApplication

export const applications: WSGIApplication[] = [
  plain,
  asynchronous,
  generator,
  asyncGenerator,
  withoutArguments,
  withEnvironOnly,
  object,
  instance,
  functionWithMethods,
  promised,
]

// @ts-expect-error: the class itself cannot be called; an instance is the application
export const classItself: WSGIApplication = Greeter
// @ts-expect-error: an object without wsgi()
export const objectWithout: WSGIApplication = { call: plain }
// @ts-expect-error: wsgi is no method
export const objectWithString: WSGIApplication = { wsgi: 'app' }
// @ts-expect-error: a handler of Node.js answers by its second argument
export const nodeHandler: WSGIApplication = (_req, res) => res.end('hello')
// @ts-expect-error: a handler of fetch gives a Response
export const fetchHandler: WSGIApplication = () => new Response('hello')
// @ts-expect-error: an application's name is for the command, not for the program
export const named: WSGIApplication = 'app:app'
// @ts-expect-error: there is no third argument
export const three: WSGIApplication = (_, __, next: () => void) => [bytes].slice(Number(next()))

// A body is an iterable of bytes.

export const bodies: WSGIBody[] = [
  [],
  [bytes],
  [Buffer.from('a')],
  new Set([bytes]),
  [bytes].values(),
  Readable.from([bytes]),
  new Blob([]).stream(),
  Object.assign([bytes], { close: () => Promise.resolve() }),
  generator(environ, startResponse),
  asyncGenerator(environ, startResponse),
]

// @ts-expect-error: text is no body
export const textBody: WSGIBody = 'hello'
// @ts-expect-error: nor are its pieces text
export const textPieces: WSGIBody = ['hello']
// @ts-expect-error: bytes are an iterable of numbers
export const bytesBody: WSGIBody = bytes
// @ts-expect-error: a Buffer is bytes
export const bufferBody: WSGIBody = Buffer.from('hello')
// @ts-expect-error: pieces are bytes, not promises of them
export const promisePieces: WSGIBody = [Promise.resolve(bytes)]
// @ts-expect-error: other arrays of numbers are no bytes
export const wideBody: WSGIBody = [new Uint16Array(1)]
// @ts-expect-error: an ArrayBuffer is no view
export const bufferPieces: WSGIBody = [new ArrayBuffer(1)]
// @ts-expect-error: close is a method
export const closeFlag: WSGIBody = Object.assign([bytes], { close: true })
// @ts-expect-error: nothing is no body
export const nothing: WSGIApplication = () => {}
// @ts-expect-error: nor is null
export const nullBody: WSGIApplication = () => null
// @ts-expect-error: nor a promise of nothing
export const promiseOfNothing: WSGIApplication = async () => {}
// @ts-expect-error: an application does not return text
export const returnsText: WSGIApplication = () => 'hello'
// biome-ignore format: one line
// @ts-expect-error: a generator does not yield text
export const yieldsText: WSGIApplication = function* () { yield 'hello' }

// startResponse

export const started: Promise<void>[] = [
  startResponse('200 OK', [])(bytes),
  startResponse('200 OK', [['X', 'y']], undefined)(bytes),
  startResponse('500 Oh', [['X', 'y']], new Error('why'))(Buffer.from('a')),
]
const pairs: ResponseHeaders = [['X', 'y']]
pairs.push(['Z', ''])

// @ts-expect-error: the status is a string
startResponse(200, [])
// @ts-expect-error: there are always headers
startResponse('200 OK')
// @ts-expect-error: as an array of pairs
startResponse('200 OK', { 'Content-Type': 'text/plain' })
// @ts-expect-error: not a Map
startResponse('200 OK', new Map([['X', 'y']]))
// @ts-expect-error: nor the Headers of fetch
startResponse('200 OK', new Headers())
// @ts-expect-error: a header is not one string
startResponse('200 OK', ['X: y'])
// @ts-expect-error: a name needs a value
startResponse('200 OK', [['X']])
// @ts-expect-error: a pair has no third
startResponse('200 OK', [['X', 'y', 'z']])
// @ts-expect-error: values are strings
startResponse('200 OK', [['Content-Length', 5]])
// @ts-expect-error: one value a header
startResponse('200 OK', [['Set-Cookie', ['a=1', 'b=2']]])
// @ts-expect-error: four arguments
startResponse('200 OK', [], null, true)
// @ts-expect-error: write() takes bytes
startResponse('200 OK', [])('text')
// @ts-expect-error: write() takes one piece
startResponse('200 OK', [])(bytes, bytes)

// A server's startResponse

export const right: StartResponse = () => async () => {}
// @ts-expect-error: it gives write()
export const givesNothing: StartResponse = () => {}
// @ts-expect-error: write() gives a promise
export const writesAtOnce: StartResponse = () => () => {}
// @ts-expect-error: it is not to be waited for
export const givesPromise: StartResponse = async () => async () => {}

// A middleware takes an application and gives one.

const wrap: Middleware = (inner) => (given, start) =>
  typeof inner === 'function' ? inner(given, start) : inner.wsgi(given, start)
export const wrapped: WSGIApplication = wrap(validator(wrap(plain)))
export const asObject: Middleware = (inner) => ({
  wsgi: (given, start) => validator(inner)(given, start),
})

// @ts-expect-error: an application that may be an object is not called as a function
export const callsIt: Middleware = (inner) => (given, start) => inner(given, start)
// @ts-expect-error: a middleware gives an application
export const givesNoApplication: Middleware = (inner) => void inner
// @ts-expect-error: and not a promise of one
export const givesPromiseOfOne: Middleware = async (inner) => inner
// @ts-expect-error: an application is no middleware
export const applicationAsMiddleware: Middleware = asynchronous
// @ts-expect-error: a middleware of Express takes a request
export const express: Middleware = (req, res, next) => next(req, res)
// @ts-expect-error: it is called with an application
wrap()
// @ts-expect-error: and not with an environ
wrap(environ)

// validator

export const validated: WSGIFunction = validator(app)
export const alsoMiddleware: Middleware = validator
// @ts-expect-error: it takes an application
validator('app:app')
// @ts-expect-error: it has no options
validator(app, {})
// @ts-expect-error: what it gives is called with two arguments
validator(app)(environ)
export const offender = (error: ViolationError): 'server' | 'application' => error.offender
// @ts-expect-error: there are two sides
new ViolationError('client', 'Error Handling', 'what')
// @ts-expect-error: a rule is a section of PEP 3333
new ViolationError('server', 'My Rules', 'what')
