/** Addresses that `--bind` takes. */
import { isIPv4, isIPv6 } from 'node:net'

/**
 * A socket to listen on. The `host` of a TCP address is a name, an IPv4 address, or an IPv6
 * address without brackets; `port` is 0 to 65535, 0 for any free one. The `path` of a unix socket
 * that begins with NUL is an abstract name of Linux, which is no file. `fd` is a socket that this
 * process was started with.
 */
export type SocketAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'fd'; readonly fd: number }

/** An address to listen on, and what is special about its connections. */
export type BindAddress = SocketAddress & {
  /** They use TLS. */
  readonly tls?: true
  /** Their requests are redirected to HTTPS (`http_redirect`). */
  readonly redirects?: true
}

/** Thrown for a text that is not an address; `message` says what is accepted. */
export class BindAddressError extends Error {
  readonly code = 'bad-bind-address'
}

const DEFAULT_PORT = 8000
const FORMS = 'HOST:PORT, HOST, :PORT, [IPV6]:PORT, unix:PATH, unix:@NAME or fd://NUMBER'
/** Stands in front of an address whose connections use TLS. */
const TLS = 'tls:'

/**
 * Reads an address: `127.0.0.1:8000`, `localhost`, `:8000` (every IPv4 address of the machine, as
 * in Gunicorn), `[::1]:8000`, `unix:/run/site.sock`, `unix:@site` (an abstract name), `fd://3`. The
 * port defaults to 8000. `tcp://` in front is allowed. `tls:` (or `tls://`) in front of
 * any of them means TLS.
 *
 * @throws BindAddressError if it is none of these
 * @example parseBindAddress('[::1]:80') // { kind: 'tcp', host: '::1', port: 80 }
 */
export function parseBindAddress(text: string): BindAddress {
  return text.startsWith(TLS)
    ? { ...parseSocketAddress(text.slice(TLS.length).replace(/^\/\//, '')), tls: true }
    : parseSocketAddress(text)
}

function parseSocketAddress(text: string): SocketAddress {
  if (text.startsWith('unix:')) {
    return { kind: 'unix', path: parsePath(text.slice(5).replace(/^\/\/(?=.)/, '')) }
  }
  if (text.startsWith('fd://')) {
    const number = text.slice(5)
    if (!/^[0-9]{1,7}$/.test(number))
      throw new BindAddressError('expected the number of a file descriptor after fd://')
    return { kind: 'fd', fd: Number(number) }
  }
  const scheme = /^(https?|ssl)(:\/\/|:(?=.*:))/i.exec(text)?.[0]
  if (scheme !== undefined)
    throw new BindAddressError(
      `write HOST:PORT without ${scheme} in front, or tls:HOST:PORT for HTTPS`,
    )
  const rest = text.startsWith('tcp://') ? text.slice(6) : text
  if (rest.startsWith('[')) {
    const match = /^\[([^\]]*)\](?::(.*))?$/s.exec(rest)
    if (!match || !isIPv6(match[1]!))
      throw new BindAddressError('not an IPv6 address in brackets: [IPV6]:PORT')
    return { kind: 'tcp', host: match[1]!.toLowerCase(), port: parsePort(match[2]) }
  }
  if (isIPv6(rest))
    throw new BindAddressError(`write IPv6 addresses in brackets: [${rest}]:${DEFAULT_PORT}`)
  const colon = rest.indexOf(':')
  const host = (colon === -1 ? rest : rest.slice(0, colon)).toLowerCase()
  const port = parsePort(colon === -1 ? undefined : rest.slice(colon + 1))
  if (host === '') {
    if (colon === -1) throw new BindAddressError(`expected ${FORMS}`)
    return { kind: 'tcp', host: '0.0.0.0', port }
  }
  if (!isHost(host)) throw new BindAddressError(`not a host name or address; expected ${FORMS}`)
  return { kind: 'tcp', host, port }
}

/**
 * The text of an address, which {@link parseBindAddress} reads back.
 *
 * @example formatBindAddress({ kind: 'tcp', host: '::1', port: 80 }) // '[::1]:80'
 */
export function formatBindAddress(address: BindAddress): string {
  const text = formatSocketAddress(address)
  return address.tls ? `${TLS}${text}` : text
}

/**
 * The same without `tls:`, which tells whether two addresses are the same socket.
 *
 * @example formatSocketAddress({ kind: 'fd', fd: 3, tls: true }) // 'fd://3'
 */
export function formatSocketAddress(address: SocketAddress): string {
  if (address.kind === 'fd') return `fd://${address.fd}`
  if (address.kind === 'unix') {
    if (isAbstract(address.path)) return `unix:@${address.path.slice(1)}`
    // The form unix://PATH would drop the slashes of a path that begins with two.
    return address.path.startsWith('//') ? `unix://${address.path}` : `unix:${address.path}`
  }
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}

/** Whether the path of a unix socket is an abstract name, not a file (unix(7)). */
export function isAbstract(path: string): boolean {
  return path.startsWith('\0')
}

function parsePath(text: string): string {
  const path = /^@./s.test(text) ? `\0${text.slice(1)}` : text
  if (path === '' || path === '\0' || path.includes('\0', 1))
    throw new BindAddressError('expected a path, or @ and a name, after unix:')
  return path
}

function parsePort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT
  const port = Number(text)
  if (!/^[0-9]{1,5}$/.test(text) || port > 65535) {
    throw new BindAddressError('the port must be a whole number from 0 to 65535')
  }
  return port
}

function isHost(host: string): boolean {
  // Digits and dots are meant as an IPv4 address: 127.0.0.256 is a typo, not a name to resolve.
  if (/^[0-9.]+$/.test(host)) return isIPv4(host)
  return (
    host.length <= 253 &&
    /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/.test(host)
  )
}
