import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { request as requestSecurely, Agent as SecureAgent } from 'node:https'
import { pipeline } from 'node:stream/promises'
import {
  abortSignal,
  isHopByHop,
  type Middleware,
  type ResponseHeaders,
  readChunks,
  requestUri,
  toFunction,
  type WSGIBody,
  type WSGIEnvironment,
} from 'monoceros'

export interface ProxyOptions {
  /** Requests for this path and those below it are passed on, with it. */
  readonly prefix: string
  /** Where to: `http://127.0.0.1:9000` or `https://…`, without a path. */
  readonly target: string
  /** How long the other server may be silent, in milliseconds. Default: 30 s. */
  readonly timeout?: number
  /** How many connections there are to it at most. Default: 100. */
  readonly connections?: number
}

class SilenceError extends Error {}

/** A middleware that answers a part of the paths with what another server answers. */
export function proxy(options: ProxyOptions): Middleware {
  const { prefix, timeout = 30_000, connections = 100 } = options
  const target = new URL(options.target)
  const secure = target.protocol === 'https:'
  const agentOptions = { keepAlive: true, maxSockets: connections }
  const agent = secure ? new SecureAgent(agentOptions) : new Agent(agentOptions)

  function open(environ: WSGIEnvironment, path: string): ClientRequest {
    const opened = (secure ? requestSecurely : request)(target, {
      agent,
      method: environ.REQUEST_METHOD,
      path,
      headers: requestHeaders(environ, target.host),
      timeout,
      // The client has gone.
      signal: abortSignal(environ),
    })
    return opened.on('timeout', () => opened.destroy(new SilenceError('no answer in time')))
  }

  async function answerOf(environ: WSGIEnvironment, path: string): Promise<IncomingMessage> {
    const body = hasBody(environ)
    for (;;) {
      const opened = open(environ, path)
      const answer = new Promise<IncomingMessage>((resolve, reject) =>
        opened.on('response', resolve).on('error', reject),
      )
      if (body) pipeline(readChunks(environ['wsgi.input']), opened).catch(() => opened.destroy())
      else opened.end()
      try {
        return await answer
      } catch (error) {
        // A kept connection may end just when it is used again.
        if (opened.reusedSocket && !body && codeOf(error) === 'ECONNRESET') continue
        throw error
      }
    }
  }

  return (app) => {
    const inner = toFunction(app)
    return async (environ, startResponse) => {
      const path = environ.PATH_INFO
      if (path !== prefix && !path.startsWith(`${prefix}/`)) return inner(environ, startResponse)
      const problem = (status: string) => {
        startResponse(status, [['Content-Type', 'text/plain']])
        return [new TextEncoder().encode(`${status}\n`)]
      }
      // The other server might take them for paths that are not below the prefix.
      if (/(^|[/\\])\.\.?([/\\]|$)/.test(path)) return problem('400 Bad Request')
      try {
        const answer = await answerOf(environ, requestUri(environ).replace(/^\w+:\/\/[^/]*/, ''))
        const status = `${answer.statusCode} ${answer.statusMessage || 'Unknown'}`
        startResponse(status, responseHeaders(answer, target.origin))
        return bodyOf(answer)
      } catch (error) {
        if (abortSignal(environ).aborted) throw error
        environ['wsgi.errors'].write(`${target.origin} does not answer: ${error}\n`)
        return problem(error instanceof SilenceError ? '504 Gateway Timeout' : '502 Bad Gateway')
      }
    }
  }
}

function hasBody(environ: WSGIEnvironment): boolean {
  return environ.HTTP_TRANSFER_ENCODING !== undefined || Number(environ.CONTENT_LENGTH ?? 0) > 0
}

/** The fields of the request, without those that are about the client's connection. */
function requestHeaders(environ: WSGIEnvironment, host: string): Record<string, string> {
  const dropped = namedIn(environ.HTTP_CONNECTION)
  const headers: Record<string, string> = {}
  for (const [key, value] of Object.entries(environ)) {
    if (!key.startsWith('HTTP_') || typeof value !== 'string') continue
    const name = key.slice('HTTP_'.length).replaceAll('_', '-').toLowerCase()
    if (!isHopByHop(name) && !dropped.has(name) && !/^(x-)?forwarded/.test(name))
      headers[name] = value
  }
  if (environ.CONTENT_TYPE) headers['content-type'] = environ.CONTENT_TYPE
  if (environ.HTTP_TRANSFER_ENCODING !== undefined) headers['transfer-encoding'] = 'chunked'
  else if (environ.CONTENT_LENGTH) headers['content-length'] = environ.CONTENT_LENGTH
  // Not what the client has sent under these names: anybody could say anything.
  if (environ.REMOTE_ADDR) headers['x-forwarded-for'] = environ.REMOTE_ADDR
  headers['x-forwarded-proto'] = environ['wsgi.url_scheme']
  headers['x-forwarded-host'] = environ.HTTP_HOST ?? environ.SERVER_NAME
  headers.host = host
  return headers
}

function responseHeaders(answer: IncomingMessage, origin: string): ResponseHeaders {
  const dropped = namedIn(answer.headers.connection)
  const headers: [string, string][] = []
  for (let n = 0; n < answer.rawHeaders.length; n += 2) {
    const name = answer.rawHeaders[n] ?? ''
    const value = answer.rawHeaders[n + 1] ?? ''
    if (isHopByHop(name) || dropped.has(name.toLowerCase())) continue
    // The client cannot follow to the other server itself.
    const here = name.toLowerCase() === 'location' && value.startsWith(`${origin}/`)
    headers.push([name, here ? value.slice(origin.length) : value])
  }
  return headers
}

/** What a Connection field names is about that connection, too (RFC 9110 §7.6.1). */
function namedIn(connection = ''): Set<string> {
  return new Set(connection.split(',').map((name) => name.trim().toLowerCase()))
}

/** The body, piece by piece; the connection is given up if the client does not want the rest. */
function bodyOf(answer: IncomingMessage): WSGIBody {
  return {
    [Symbol.asyncIterator]: () => answer[Symbol.asyncIterator](),
    close: () => void answer.destroy(),
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code
}
