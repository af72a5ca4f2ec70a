/**
 * A socket that is bound and listens, but from which this process never accepts.
 *
 * The arbiter holds such sockets so that no connection is ever refused while an acceptor is being
 * replaced; acceptors inherit the file descriptor. Node has no public call for that: `net.Server`
 * begins to accept as soon as it listens. This file, and no other, uses what lies beneath:
 * `net._createServerHandle` (which `node:cluster` uses for the same purpose) and the handle it
 * returns.
 */
import net from 'node:net'

/**
 * The part of Node's internal TCP and pipe handles that is used here. Results below zero are errno
 * values.
 */
interface ServerHandle {
  /** The file descriptor; -1 when there is none. */
  readonly fd: number
  onconnection: ((status: number, client: { close(): void } | undefined) => void) | null
  open(fd: number): number
  listen(backlog: number): number
  readStart(): number
  readStop(): number
  /** Not on pipes. */
  getsockname?(out: { address?: string; port?: number; family?: string }): number
  close(): void
}

type CreateServerHandle = (
  address: string,
  port: number,
  addressType: 4 | 6 | -1,
  fd: undefined,
  flags: number,
) => ServerHandle | number

const createServerHandle = (net as unknown as { _createServerHandle?: CreateServerHandle })
  ._createServerHandle

/** UV_TCP_IPV6ONLY of libuv. */
const ipv6OnlyFlag = 1

/** The system refused; `errno` is negative, as libuv has it. */
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
  /** The port that the kernel chose or was told; 0 for a unix socket. */
  readonly port: number
  /** Closes this process's descriptor. A unix socket's file is removed by that. */
  close(): void
}

/**
 * Binds and listens at an IP address. `port` 0 takes any free one.
 *
 * @throws SocketError
 */
export function bindTcp(
  address: string,
  family: 4 | 6,
  port: number,
  options: { backlog: number; ipv6Only?: boolean },
): BoundSocket {
  const flags = family === 6 && options.ipv6Only ? ipv6OnlyFlag : 0
  const handle = create(address, port, family, flags)
  const name: { port?: number } = {}
  // libuv keeps EADDRINUSE of bind(2) back until the first use of the socket, which this is.
  check(handle, handle.getsockname?.(name) ?? 0)
  listenWithoutAccepting(handle, options.backlog)
  return { fd: handle.fd, port: name.port ?? port, close: () => handle.close() }
}

/**
 * Binds and listens at a path, which must be free. The file's mode is 0777 without the bits of the
 * umask.
 *
 * @throws SocketError
 */
export function bindUnix(path: string, options: { backlog: number }): BoundSocket {
  const handle = create(path, -1, -1, 0)
  listenWithoutAccepting(handle, options.backlog)
  return { fd: handle.fd, port: 0, close: () => handle.close() }
}

function create(
  address: string,
  port: number,
  addressType: 4 | 6 | -1,
  flags: number,
): ServerHandle {
  if (createServerHandle === undefined) {
    throw new Error(
      `Node ${process.version} has no net._createServerHandle, which Monoceros needs to listen`,
    )
  }
  const handle = createServerHandle(address, port, addressType, undefined, flags)
  if (typeof handle === 'number') throw new SocketError(handle)
  return handle
}

/**
 * Makes the kernel queue connections, without taking any.
 *
 * Listening early matters: a second server that is started at the same address fails at once, not
 * when its application is loaded, and a unix socket that is not listened to looks like one left
 * behind. libuv's listen also begins to poll; `readStop` ends that before the event loop has had a
 * turn. (A reading can be stopped only on a handle that takes part in reading, which `open` makes
 * of it.)
 */
function listenWithoutAccepting(handle: ServerHandle, backlog: number): void {
  // Never called; without it, a libuv that keeps on polling would leave such a connection hanging.
  handle.onconnection = (_status, client) => client?.close()
  check(handle, handle.open(handle.fd))
  check(handle, handle.listen(backlog))
  check(handle, handle.readStart())
  check(handle, handle.readStop())
}

function check(handle: ServerHandle, result: number): void {
  if (result === 0) return
  handle.close()
  throw new SocketError(result)
}
