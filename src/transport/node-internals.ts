/**
 * The one place where the server touches what Node.js does not document. Everything else uses the
 * functions of this file, each of which says what happens where Node has no such thing.
 *
 * The table in `docs/dependencies.md` is this one; a test compares them, and looks for other files
 * that use such members.
 */
import net, { type Server, type Socket } from 'node:net'

/** One member that is used, for the table of the documentation. */
export interface NodeInternal {
  /** As Node calls it. */
  readonly member: string
  readonly use: string
  /** What happens in a Node.js that does not have it. */
  readonly without: string
}

export const NODE_INTERNALS: readonly NodeInternal[] = [
  {
    member: 'net._createServerHandle',
    use: 'binds a socket that listens and from which this process does not accept, as `node:cluster` does',
    without: 'the server does not start, and says why',
  },
  {
    member: 'handle.open, listen, readStart, readStop, getsockname, fd, close',
    use: 'the same: keeps libuv from accepting on that socket, and tells its port and descriptor',
    without: 'the server does not start',
  },
  {
    member: 'server._handle.onconnection',
    use: 'takes accepted connections before Node makes a socket of them, to read them by `onread`',
    without: 'Node makes the sockets, which costs more than twice the time per small request',
  },
  {
    member: 'server._handle.readStart, readStop, listen',
    use: 'leaves new connections in the kernel while there are no file descriptors',
    without: 'libuv goes on trying to accept',
  },
  {
    member: 'client.fd (of an accepted handle)',
    use: 'sees by its number that file descriptors are nearly used up',
    without: 'the server notices only when there are none left',
  },
  {
    member: 'new net.Socket({ handle, onread })',
    use: 'reads an accepted connection, or the socket of a child process, into memory of our own',
    without: '`onread` is documented for `net.connect`; `handle` is as old as `net.Socket`',
  },
  {
    member: 'socket._handle, handle.reading, readStop',
    use: 'takes the handle from a socket that Node made, to read it by `onread`',
    without: 'the socket is used as it is',
  },
  {
    member: 'socket._handle.bytesWritten, writeQueueSize',
    use: 'sees how much of a write under way the client has taken',
    without: 'a client that takes a large piece slowly may be taken for one that takes nothing',
  },
  {
    member: 'socket.resetAndClosing, socket._handle.reset',
    use: 'closes a TCP connection with a reset, without waiting for what is unsent',
    without: 'the connection is closed without a reset',
  },
]

/** A handle that listens. A result below 0 is an errno. */
export interface ListeningHandle {
  onconnection: (status: number, client: object | undefined) => void
  readStart(): number
  readStop(): number
  listen(backlog: number): number
}

interface SocketHandle {
  reading?: boolean
  /** Bytes that were given to it. */
  readonly bytesWritten?: number
  /** Bytes of these that it still has. */
  readonly writeQueueSize?: number
  readonly reset?: unknown
  readStop?(): number
}

interface SocketInternals {
  _handle?: SocketHandle | null
  resetAndClosing?: boolean
}

/**
 * The handle of a server that listens, if connections can be taken from it; null where there is no
 * such thing.
 */
export function acceptingHandle(server: Server): ListeningHandle | null {
  const handle = listeningHandle(server)
  return typeof handle?.onconnection === 'function' ? (handle as ListeningHandle) : null
}

/** The handle of a server that listens, if it can be paused; null where there is no such thing. */
export function pausableHandle(server: Server): ListeningHandle | null {
  const handle = listeningHandle(server)
  return typeof handle?.readStart === 'function' &&
    typeof handle.readStop === 'function' &&
    typeof handle.listen === 'function'
    ? (handle as ListeningHandle)
    : null
}

function listeningHandle(server: Server): Partial<ListeningHandle> | null {
  return (server as unknown as { _handle?: Partial<ListeningHandle> | null })._handle ?? null
}

/** The file descriptor of a handle; -1 if it is not known. */
export function descriptorOf(handle: object): number {
  return (handle as { fd?: number }).fd ?? -1
}

/**
 * Takes the handle from a socket that nobody has read from. The socket is of no use afterwards.
 * Null where there is no such thing; then the socket stays as it is.
 */
export function takeHandle(socket: Socket): object | null {
  const owner = socket as unknown as SocketInternals
  const handle = owner._handle
  if (handle === undefined || handle === null || typeof handle.readStop !== 'function') return null
  handle.readStop()
  handle.reading = false
  owner._handle = null
  return handle
}

/**
 * Bytes that have left this process on a socket, ever. Of a write that is under way only the handle
 * knows how much is done; Node's own socket time-outs look at the same members.
 */
export function bytesTaken(socket: Socket): number {
  const handle = (socket as unknown as SocketInternals)._handle
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0)
}

/**
 * Has the next `destroy()` of a socket reset the connection.
 * @returns whether it will: there is no such thing for a unix socket
 */
export function resetOnDestroy(socket: Socket): boolean {
  const owner = socket as unknown as SocketInternals
  if (typeof owner._handle?.reset !== 'function') return false
  owner.resetAndClosing = true
  return true
}

/** The handle of a socket that is bound. A result below 0 is an errno. */
export interface ServerHandle {
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

/**
 * Makes a socket and binds it.
 *
 * @param address an IP address, or a path with -1 as `port` and `addressType`
 * @returns the handle, or an errno
 * @throws Error where Node has no such thing
 */
export function bindHandle(
  address: string,
  port: number,
  addressType: 4 | 6 | -1,
  flags: number,
): ServerHandle | number {
  if (createServerHandle === undefined) {
    throw new Error(
      `Node ${process.version} has no net._createServerHandle, which Monoceros needs to listen`,
    )
  }
  return createServerHandle(address, port, addressType, undefined, flags)
}
