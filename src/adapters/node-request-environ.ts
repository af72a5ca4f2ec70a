import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { Socket } from 'node:net'
import { splitAuthority } from '../semantics/authority.ts'
import { makeEnviron } from '../wsgi/environ.ts'
import type { ErrorStream, InputStream, WSGIEnvironment } from '../wsgi/types.ts'
import { type MountPoint, splitTarget } from './mount.ts'

/** A request of `node:http`, or of the compatibility API of `node:http2`, as Express extends it. */
export type NodeRequest = (IncomingMessage | Http2ServerRequest) & {
  originalUrl?: unknown
  baseUrl?: unknown
}

/** A request that an application cannot be called with. The answer is 400. */
export class BadRequestError extends Error {
  readonly status = 400
}

/** A body that a body parser has read already. */
export interface ReadBody {
  readonly length: number
}

/** The streams of an environ. */
export interface RequestStreams {
  readonly input: InputStream
  readonly errors: ErrorStream
  /** A body that was read already: its length replaces the one in the headers. */
  readonly read: ReadBody | undefined
}

/**
 * Makes the environ of a Node request; null if the request is not for the application's mount.
 *
 * @throws BadRequestError if headers contradict each other
 */
export function nodeEnviron(
  request: NodeRequest,
  mount: MountPoint,
  { input, errors, read }: RequestStreams,
): WSGIEnvironment | null {
  const { outer, path, query, authority, sent } = nodeTarget(request)
  const divided = mount.divide(path)
  if (divided === null) return null
  const headers = requestHeaders(request, authority, read)
  const socket = request.socket as Socket & { encrypted?: boolean }
  const encrypted = socket.encrypted === true
  const { name, port } = serverAddress(socket, headers, encrypted)
  return makeEnviron({
    method: request.method ?? 'GET',
    mount: outer + divided.mount,
    target: divided.path + query,
    requestUri: sent,
    headers,
    protocol: `HTTP/${request.httpVersion}`,
    scheme: encrypted ? 'https' : 'http',
    serverName: name,
    serverPort: port,
    remoteAddress: plainAddress(socket.remoteAddress),
    remotePort: socket.remotePort,
    input,
    errors,
  })
}

/**
 * Finds the mount of the framework and the rest of the path. Express passes the mount in `baseUrl`;
 * Connect, and so Vite, pass the whole path in `originalUrl`. If nothing is left of the path, both
 * set `url` to a slash that no client sent: then the path is empty.
 */
function nodeTarget(request: NodeRequest): {
  outer: string
  path: string
  query: string
  authority: string | null
  sent: string
} {
  const url = request.url ?? '/'
  const { path, query, authority } = splitTarget(url)
  const sent = typeof request.originalUrl === 'string' ? request.originalUrl : url
  const target = (outer: string, rest: string) => ({ outer, path: rest, query, authority, sent })
  if (path === '*') return target('', '')
  const whole = splitTarget(sent).path
  const { baseUrl } = request
  if (typeof baseUrl === 'string' && baseUrl !== '' && whole.startsWith(baseUrl)) {
    return target(baseUrl, path === '/' && whole === baseUrl ? '' : path)
  }
  // RFC 9112 §3.2.4: an empty path means the server for OPTIONS, and "/" for other methods.
  if (path === '') return target('', request.method === 'OPTIONS' ? '' : '/')
  if (!path.startsWith('/')) return target('', `/${path}`)
  if (whole === path) return target('', path)
  const outer = whole.endsWith(path) ? whole.slice(0, -path.length) : path === '/' ? whole : ''
  // No mount, but a path that other middleware has rewritten. A mount with two slashes is what a
  // client wrote: an application would make the address of another host of it.
  if (!outer.startsWith('/') || /^\/(?:[/\\]|%2f|%5c)/i.test(outer)) return target('', path)
  return target(outer, outer === whole ? '' : path)
}

function requestHeaders(
  request: NodeRequest,
  targetAuthority: string | null,
  read: ReadBody | undefined,
): [string, string][] {
  const headers: [string, string][] = []
  const authority = targetAuthority ?? pseudoHeader(request, ':authority')
  if (authority?.includes('@')) throw new BadRequestError('The target has user information')
  let hosts = 0
  let lengths = 0
  let declared = ''
  const raw = request.rawHeaders
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!
    if (name.startsWith(':')) continue
    const lower = name.toLowerCase()
    if (lower === 'host') {
      hosts++
      // The authority of the target takes precedence (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
      if (authority !== undefined) continue
    } else if (lower === 'content-length') {
      lengths++
      declared = raw[i + 1]!
      if (read !== undefined) continue
    }
    headers.push([name, raw[i + 1]!])
  }
  if (hosts > 1) throw new BadRequestError('There is more than one Host header')
  if (lengths > 1) throw new BadRequestError('There is more than one Content-Length header')
  if (lengths === 1 && !/^\d+$/.test(declared))
    throw new BadRequestError('Content-Length is not a number')
  if (authority !== undefined) headers.push(['Host', authority])
  if (read === undefined) return headers
  // If the length differs, the body parser has decoded the Content-Encoding.
  const decoded = lengths === 0 || Number(declared) !== read.length
  const kept = headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return lower !== 'transfer-encoding' && !(decoded && lower === 'content-encoding')
  })
  kept.push(['Content-Length', String(read.length)])
  return kept
}

function pseudoHeader(request: NodeRequest, name: string): string | undefined {
  if (request.httpVersionMajor < 2) return undefined
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

/**
 * `SERVER_NAME` and `SERVER_PORT`, which must not be empty (PEP 3333 "environ Variables"). A unix
 * socket has no address, so those that the client requested are used.
 */
function serverAddress(
  socket: Socket,
  headers: readonly (readonly [string, string])[],
  encrypted: boolean,
): { name: string; port: string } {
  const own = plainAddress(socket.localAddress)
  if (own !== undefined && own !== '') return { name: own, port: String(socket.localPort) }
  const host = headers.find(([name]) => name.toLowerCase() === 'host')?.[1] ?? ''
  const authority = splitAuthority(host)
  return {
    name: authority?.host || 'localhost',
    port: authority?.port || (encrypted ? '443' : '80'),
  }
}

/** An address; an IPv4 address of an IPv6 socket without its prefix `::ffff:`. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
