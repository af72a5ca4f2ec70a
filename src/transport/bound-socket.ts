/**
 * A socket that is bound and listens, but from which this process never accepts.
 *
 * The arbiter holds such sockets so that no connection is refused while an acceptor is replaced;
 * acceptors inherit the file descriptor. Node has no public call for that: `net.Server` accepts as
 * soon as it listens. So this file uses an internal handle, like `node:cluster` for the same
 * purpose.
 */
import { adoptHandle, bindHandle, type ServerHandle } from './node-internals.ts'

/** UV_TCP_IPV6ONLY of libuv. */
const IPV6_ONLY = 1
/** UV_TCP_REUSEPORT of libuv. An older libuv ignores it. */
const REUSE_PORT = 2

/** Whether this Node.js can listen with SO_REUSEPORT: since Node.js 22.12. */
export function canReusePort(libuv: string = process.versions.uv ?? ''): boolean {
  return isSince(libuv, 1, 49)
}

/**
 * Whether this Node.js binds an abstract name as it is: since Node.js 22. An older one fills the
 * name with zero bytes up to 108, so no client would find it.
 */
export function canBindAbstract(libuv: string = process.versions.uv ?? ''): boolean {
  return isSince(libuv, 1, 47)
}

function isSince(libuv: string, sinceMajor: number, sinceMinor: number): boolean {
  const [major = 0, minor = 0] = libuv.split('.').map(Number)
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor)
}

/** Thrown if the system refuses; `errno` is negative, as in libuv. */
export class SocketError extends Error {
  readonly code = 'socket'
  readonly errno: number

  constructor(errno: number) {
    super(`errno ${errno}`)
    this.errno = errno
  }
}

export interface BoundSocket {
  /** Valid until {@link BoundSocket.close}. */
  readonly fd: number
  /** The actual port; 0 for a unix socket. */
  readonly port: number
  /** Closes this process's descriptor. That also removes the file of a unix socket. */
  close(): void
}

/**
 * Binds to an IP address and listens. `port` 0 takes any free one.
 *
 * @throws SocketError
 */
export function bindTcp(
  address: string,
  family: 4 | 6,
  port: number,
  options: { backlog: number; ipv6Only?: boolean; reusePort?: boolean },
): BoundSocket {
  const ipv6Only = family === 6 && options.ipv6Only ? IPV6_ONLY : 0
  const flags = ipv6Only | (options.reusePort ? REUSE_PORT : 0)
  const handle = create(address, port, family, flags)
  const name: { port?: number } = {}
  // libuv reports EADDRINUSE of bind(2) at the first use of the socket, which is here.
  check(handle, handle.getsockname?.(name) ?? 0)
  listenWithoutAccepting(handle, options.backlog)
  return { fd: handle.fd, port: name.port ?? port, close: () => handle.close() }
}

/**
 * Binds to a path, which must be free, or to an abstract name, and listens. A file's mode is 0777
 * without the bits of the umask.
 *
 * @param options `beforeListen` is called when the file exists and nobody can connect yet; what it
 * throws is thrown here
 * @throws SocketError
 */
export function bindUnix(
  path: string,
  options: { backlog: number; beforeListen?: () => void },
): BoundSocket {
  const handle = create(path, -1, -1, 0)
  try {
    options.beforeListen?.()
  } catch (error) {
    handle.close()
    throw error
  }
  listenWithoutAccepting(handle, options.backlog)
  return { fd: handle.fd, port: 0, close: () => handle.close() }
}

/** A socket that this process was started with. */
export interface AdoptedSocket extends BoundSocket {
  /** The IP address; null for a unix socket. */
  readonly host: string | null
}

/**
 * Listens on a stream socket that this process was started with. Closing it leaves a unix socket's
 * file alone.
 *
 * @throws SocketError, also if `fd` is something else
 */
export function adoptSocket(fd: number, options: { backlog: number }): AdoptedSocket {
  const handle = adoptHandle(fd)
  if (typeof handle === 'number') throw new SocketError(handle)
  const name: { address?: string; port?: number } = {}
  check(handle, handle.getsockname?.(name) ?? 0)
  startListening(handle, options.backlog)
  const { address = null, port = 0 } = name
  return { fd, host: address, port, close: () => handle.close() }
}

function create(
  address: string,
  port: number,
  addressType: 4 | 6 | -1,
  flags: number,
): ServerHandle {
  const handle = bindHandle(address, port, addressType, flags)
  if (typeof handle === 'number') throw new SocketError(handle)
  return handle
}

/**
 * Makes the kernel queue connections, without accepting any.
 *
 * It listens early for two reasons. A second server with the same address fails immediately, not
 * after its application was loaded; and a unix socket that does not listen looks like one left
 * behind. libuv's listen also starts to poll, and `readStop` ends that before the event loop runs.
 * (`readStop` needs a handle that can read; `open` makes it one.)
 */
function listenWithoutAccepting(handle: ServerHandle, backlog: number): void {
  check(handle, handle.open(handle.fd))
  startListening(handle, backlog)
}

function startListening(handle: ServerHandle, backlog: number): void {
  // Not called, unless a libuv keeps polling: then a connection must not be left hanging.
  handle.onconnection = (_status, client) => client?.close()
  check(handle, handle.listen(backlog))
  check(handle, handle.readStart())
  check(handle, handle.readStop())
}

function check(handle: ServerHandle, result: number): void {
  if (result === 0) return
  handle.close()
  throw new SocketError(result)
}
