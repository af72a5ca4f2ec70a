import { toFetchHandler } from '../../../src/adapters/to-fetch-handler.ts'
import { toFunction } from '../../../src/wsgi/application.ts'
import { errorStream } from '../../../src/wsgi/error-stream.ts'
import type { WSGIApplication, WSGIFunction } from '../../../src/wsgi/types.ts'
import { validator } from '../../../src/wsgi/validator.ts'
import { plainAnswer, readRequest } from '../engine/read-request.ts'
import type { Exchange, LogEntry, Response as PageResponse } from '../protocol.ts'
import { log } from './log.ts'
import type { PageConnection } from './page-network.ts'
import { readableStack } from './stacks.ts'

/** The most of a response that the page takes, in bytes. An endless body ends here. */
export const RESPONSE_LIMIT = 1024 * 1024

/** The last environ that an application got, as text. */
let environNoted: [string, string][] | null = null

export function takeEnviron(): [string, string][] | null {
  const noted = environNoted
  environNoted = null
  return noted
}

/** The application in our validator, and around both what notes environ and names of headers. */
export function watched(
  application: WSGIApplication,
  names: Map<string, string> = new Map(),
): WSGIFunction {
  const validated = toFunction(validator(application))
  return (environ, startResponse) => {
    environNoted = Object.entries(environ).map(([name, value]) => [name, shown(value)])
    return validated(environ, (status, headers, excInfo) => {
      names.clear()
      for (const [name] of headers) names.set(name.toLowerCase(), name)
      return startResponse(status, headers, excInfo)
    })
  }
}

/** Passes a request to an application, through `toFetchHandler` of `monoceros/fetch`. */
export async function answerRequest(
  application: WSGIApplication,
  bytes: Uint8Array,
): Promise<Exchange> {
  takeEnviron()
  const request = readRequest(bytes)
  if ('reason' in request) {
    const refused: LogEntry[] = [{ from: 'server', text: `${request.reason}\n` }]
    return { environ: null, response: plainAnswer(request.status), log: refused }
  }
  const { method, target, headers, body } = request
  const names = new Map<string, string>()
  const errors = errorStream((text) => log.add('wsgi.errors', readableStack(text)))
  const handler = toFetchHandler(watched(application, names), { errors })
  const url = target.startsWith('/') ? `http://localhost:8000${target}` : target
  const standard = new Request(url, {
    method: method === 'CONNECT' || method === 'TRACE' || method === 'TRACK' ? 'GET' : method,
    ...(body.length > 0 && method !== 'GET' && method !== 'HEAD' ? { body } : {}),
  })
  const response = await readAll(await handler(asSent(standard, method, headers)), names)
  return { environ: takeEnviron(), response, log: log.take() }
}

/** A browser's `Request` leaves out Host, Cookie and others: here the request has what was sent. */
function asSent(
  request: Request,
  method: string,
  headers: readonly (readonly [string, string])[],
): Request {
  const sent = new Headers()
  for (const [name, value] of headers) sent.append(name, value)
  Object.defineProperty(request, 'headers', { value: sent })
  Object.defineProperty(request, 'method', { value: method })
  return request
}

async function readAll(response: Response, names: Map<string, string>): Promise<PageResponse> {
  const pieces: Uint8Array[] = []
  let size = 0
  let complete = true
  const reader = response.body?.getReader()
  try {
    for (;;) {
      const read = await reader?.read()
      if (read === undefined || read.done) break
      pieces.push(read.value)
      size += read.value.length
      if (size > RESPONSE_LIMIT) {
        log.add('server', `the page takes ${RESPONSE_LIMIT} bytes of a response\n`)
        complete = false
        await reader?.cancel()
        break
      }
    }
  } catch {
    complete = false // the handler has logged why
  }
  const body = new Uint8Array(size)
  let at = 0
  for (const piece of pieces) {
    body.set(piece, at)
    at += piece.length
  }
  // A Headers has lower case and the order of the alphabet: shown is what the application said.
  const order = [...names.keys()]
  const place = (name: string) => (order.indexOf(name) + order.length + 1) % (order.length + 1)
  const headers = [...response.headers]
    .sort(([one], [other]) => place(one) - place(other))
    .map(([name, value]) => [names.get(name) ?? canonical(name), value] as const)
  return { status: `${response.status} ${response.statusText}`, headers, body, complete }
}

/** `content-length` → `Content-Length` */
function canonical(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
}

/** Answers a client of `makeServer`, in bytes. */
export async function serveApplication(
  application: WSGIApplication,
  connection: PageConnection,
): Promise<void> {
  const { response, log: written } = await answerRequest(application, connection.requestBytes)
  for (const { from, text } of written) log.add(from, text)
  if (response !== null) connection.answer(response)
  connection.end()
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const name = value.constructor?.name
    return name && name !== 'Object' ? `(${name})` : '(object)'
  }
  const text = typeof value === 'function' ? `(function ${value.name})` : JSON.stringify(value)
  return (text ?? String(value)).slice(0, 500)
}
