/**
 * The one place where the server touches what Node.js does not document. Everything else uses the
 * functions of this file, each of which says what happens where Node has no such thing. (The
 * adapters, which are made of Node's HTTP classes, are the exception.)
 *
 * A new entry needs a row in the table below: `docs/reference/node-internals.md` is made from it,
 * and a test looks for other files that touch such members.
 */
import type { ChildProcess } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import net, { type Server, type Socket } from 'node:net'

/** Members that are used together, for the documentation. */
export interface NodeInternal {
  /** As Node calls them. */
  readonly members: readonly string[]
  /** The files below `src` that touch them. */
  readonly files: readonly string[]
  readonly use: string
  /** What happens in a Node.js that does not have them. */
  readonly without: string
}

const HERE = ['transport/node-internals.ts']

export const NODE_INTERNALS: readonly NodeInternal[] = [
  {
    members: ['net._createServerHandle'],
    files: HERE,
    use:
      'binds a socket from which this process does not accept, as `node:cluster` does, or takes ' +
      'one that the process was started with',
    without: 'The server does not start; the error explains this.',
  },
  {
    members: ['handle.open', 'listen', 'readStart', 'readStop', 'getsockname', 'fd', 'close'],
    files: [...HERE, 'transport/bound-socket.ts'],
    use: 'listens on that socket, keeps libuv from accepting on it, and finds its descriptor',
    without: 'The server does not start.',
  },
  {
    members: ['a descriptor of no known type that arrives on an IPC channel'],
    files: HERE,
    use:
      'finds a unix datagram socket that another process handed over: libuv keeps it, and Node ' +
      'gives it to nobody',
    without: 'The other process sends the messages; systemd then needs `NotifyAccess=all`.',
  },
  {
    members: ['NODE_HANDLE', 'net.Native', 'handle.fd', 'close'],
    files: HERE,
    use: 'takes a socket with SO_REUSEPORT that Python has bound, before libuv 1.49',
    without: 'The server does not start with `--reuse-port`.',
  },
  {
    members: [
      'kChannelHandle',
      'handle.writeLatin1String',
      'readStop',
      "process.binding('stream_wrap').WriteWrap",
      "process.binding('pipe_wrap').Pipe",
      'PipeConnectWrap',
    ],
    files: HERE,
    use:
      "lends a client's socket to a worker over an IPC channel, without the JSON and the answer " +
      'that `child.send` costs',
    without: 'Large responses go through the acceptor, as with TLS. They cost twice the time.',
  },
  {
    members: ['server._handle.onconnection'],
    files: [...HERE, 'transport/accept-sockets.ts'],
    use: 'takes accepted connections before Node makes sockets of them, to read them by `onread`',
    without: 'Node makes the sockets. A small request then costs more than twice the time.',
  },
  {
    members: ['server._handle.readStart', 'readStop', 'listen'],
    files: [...HERE, 'transport/accept-sockets.ts'],
    use: 'leaves new connections in the kernel while there are no file descriptors',
    without: 'libuv keeps trying to accept.',
  },
  {
    members: ['handle.fd'],
    files: HERE,
    use: 'sees by the number of a new connection that file descriptors are nearly used up',
    without: 'The server notices only when there are none left.',
  },
  {
    members: ['new net.Socket({ handle, onread })'],
    files: [...HERE, 'transport/reading-socket.ts'],
    use: 'reads a connection, or the socket of a child process, into our own memory',
    without: 'Nothing is read. (Node documents `onread`, but for `net.connect` only.)',
  },
  {
    members: ['socket._handle', 'handle.reading', 'readStart', 'readStop'],
    files: HERE,
    use: 'takes the handle from a socket that Node made, to read it by `onread`',
    without: 'The socket is used as it is.',
  },
  {
    members: ['tlsSocket._handle', 'handle.onerror', 'onhandshakestart', 'onhandshakedone'],
    files: HERE,
    use:
      'takes the handle from a connection with TLS whose handshake is over, to read it by ' +
      '`onread`; an error of TLS then ends the connection',
    without: 'Node reads the connection. A small request then costs more.',
  },
  {
    members: ['tlsSocket._handle.receive'],
    files: HERE,
    use: 'gives a handshake the first record, and knows what it takes from the event loop',
    without: 'The socket keeps the record until Node reads it.',
  },
  {
    members: ['tlsSocket._handle.getpeername'],
    files: HERE,
    use: 'sees that a client has reset its connection while its handshake ended',
    without: 'The connection stays until a timeout.',
  },
  {
    members: ['tlsSocket._handle.verifyError', '_releaseControl', 'secureConnecting'],
    files: HERE,
    use: "checks a client's certificate, and has Node report errors, as `tls.Server` does",
    without: "No client's certificate is accepted.",
  },
  {
    members: ['handle.bytesWritten', 'writeQueueSize', '_parent'],
    files: HERE,
    use: 'sees how much of a write under way the client has taken, below TLS too',
    without: 'A client that takes a large piece slowly may be taken for one that takes nothing.',
  },
  {
    members: ['tlsSocket._handle._parent.bytesRead'],
    files: HERE,
    use: 'sees how many bytes a client has sent to carry its data in records of TLS',
    without: 'A client may send records without data as long as it wants.',
  },
  {
    members: ['socket.resetAndClosing', 'handle.reset', '_parent', '_parentWrap'],
    files: HERE,
    use: 'closes a TCP connection, also one below TLS, with a reset and without waiting',
    without: 'The connection is closed without a reset.',
  },
  {
    members: [
      'new http.IncomingMessage',
      'new http.ServerResponse',
      '_addHeaderLines',
      '_read',
      '_readableState',
      '_consuming',
      '_header',
      'kNeedDrain',
      'assignSocket',
      'shouldKeepAlive',
      'chunkedEncoding',
      'useChunkedEncodingByDefault',
    ],
    files: ['adapters/from-node-handler.ts'],
    use: 'makes requests and responses for handlers that were written for `node:http`',
    without: '`fromNodeHandler` does not work.',
  },
  {
    members: ['response.chunkedEncoding'],
    files: ['adapters/node-response.ts'],
    use: 'sees whether a body that breaks off needs a reset, because it has no chunks',
    without: 'Every body that breaks off ends with a reset.',
  },
]

/** The page `docs/reference/node-internals.md`, in Markdown. */
export function renderNodeInternals(): string {
  const code = (text: string) => `\`${text}\``
  const rows = NODE_INTERNALS.map(
    ({ members, files, use, without }) =>
      `| ${members.map(code).join(', ')} | ${use} | ${files.map(code).join(', ')} | ${without} |`,
  )
  return `# Undocumented parts of Node.js

<!-- Generated from src/transport/node-internals.ts by scripts/generate-docs.mjs; change it there. -->

These members of Node.js are not documented, and Monoceros uses them.
\`tests/release/newer-node.test.ts\` runs the server on every current release line of Node.js because of them.
Files are below \`src/\`.

| members | use | files | without them |
|---|---|---|---|
${rows.join('\n')}
`
}

/** A handle that listens. A result below 0 is an errno. */
export interface ListeningHandle {
  onconnection: (status: number, client: object | undefined) => void
  readStart(): number
  readStop(): number
  listen(backlog: number): number
}

interface SocketHandle {
  reading?: boolean
  readonly bytesRead?: number
  /** Bytes that were given to it. */
  readonly bytesWritten?: number
  /** Bytes of these that it still has. */
  readonly writeQueueSize?: number
  readonly reset?: (closed: () => void) => number
  /** The handle below that of a TLS connection. */
  readonly _parent?: SocketHandle
  /** The socket below that of a TLS connection. */
  readonly _parentWrap?: Socket
  readStart?(): number
  readStop?(): number
  close?(closed: () => void): void
  /** Of a TLS connection: what is wrong with the certificate of the client. */
  receive?(bytes: Buffer): void
  /** A result below 0 is an errno; undefined for a unix socket below TLS. */
  getpeername?(out: object): number | undefined
  verifyError?(): (Error & { code?: string }) | null
  onerror?: (error: Error) => void
  onhandshakestart?: () => void
  onhandshakedone?: () => void
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

/**
 * The descriptor of a socket that another process sent over an IPC channel, and that is of no type
 * for which Node has a class. It is valid as long as the channel is open.
 *
 * @param inode identifies the socket
 * @returns null where it cannot be found
 */
export function descriptorOfSocket(inode: number): number | null {
  const link = `socket:[${inode}]`
  try {
    const found = readdirSync('/proc/self/fd').find((name) => pointsTo(name, link))
    return found === undefined ? null : Number(found)
  } catch {
    return null
  }
}

function pointsTo(descriptor: string, link: string): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`) === link
  } catch {
    return false
  }
}

/**
 * A socket that a child process has sent as `net.Native`, which Node passes on as a bare handle.
 * Null where there is no such thing.
 */
export function receivedSocket(handle: unknown): { readonly fd: number; close(): void } | null {
  const received = handle as { fd?: number; close?(): void } | null | undefined
  return typeof received?.fd === 'number' && typeof received.close === 'function'
    ? (received as { fd: number; close(): void })
    : null
}

/** Passes sockets to a child process, which gets a descriptor of its own for each. */
export interface SocketPassing {
  /**
   * Sends a message with a socket, which stays open here.
   *
   * @param message in latin-1; so short that the channel always has space for it
   * @returns false if that is not possible
   */
  pass(socket: Socket, message: string): boolean
  /** Ends the channel. */
  close(): void
}

interface ChannelHandle {
  /** A result below 0 is an errno. */
  writeLatin1String?(request: object, text: string, passed: object): number
  readStop?(): number
}

/**
 * The IPC channel of a child process, for sockets. Null where there is no such thing.
 *
 * `child.send` is not used: it wraps a message in JSON, and sends no other socket before the child
 * has answered.
 */
export function socketPassing(child: ChildProcess): SocketPassing | null {
  const key = Object.getOwnPropertySymbols(child).find(
    ({ description }) => description === 'kChannelHandle',
  )
  const owner = child as unknown as Record<symbol, ChannelHandle | null>
  const Request = writeRequest()
  if (key === undefined || Request === null) return null
  if (typeof owner[key]?.writeLatin1String !== 'function') return null
  if (typeof owner[key]?.readStop !== 'function') return null
  // Node would parse what the child writes, and an error there would end this process.
  owner[key].readStop()
  return {
    close() {
      if (child.connected) child.disconnect()
    },
    // The handle is null once it is closed.
    pass: (socket, message) => passSocket(owner[key], socket, message, Request),
  }
}

/**
 * Connects to a unix socket, over which sockets can then be passed to whoever accepts. Resolves
 * with null if that is not possible.
 */
export function connectForPassing(path: string): Promise<SocketPassing | null> {
  const Request = writeRequest()
  const binding = pipeBinding()
  if (Request === null || binding === null) return Promise.resolve(null)
  return new Promise((resolve) => {
    let channel: PipeHandle | null = new binding.Pipe(binding.constants.IPC)
    const close = () => {
      channel?.close()
      channel = null
    }
    const request = new binding.PipeConnectWrap()
    const connected = (status: number) => {
      if (status === 0)
        return resolve({
          close,
          pass: (socket, message) => passSocket(channel, socket, message, Request),
        })
      close()
      resolve(null)
    }
    request.oncomplete = connected
    const status = channel.connect(request, path)
    // Newer versions return nothing, and tell by `oncomplete`.
    if (status) connected(status)
  })
}

function passSocket(
  channel: ChannelHandle | null,
  socket: Socket,
  message: string,
  Request: WriteRequest,
): boolean {
  const passed = (socket as unknown as SocketInternals)._handle
  if (!channel || !passed) return false
  const request = new Request()
  request.handle = channel
  request.oncomplete = () => {}
  return channel.writeLatin1String!(request, message, passed) === 0
}

interface PipeHandle extends ChannelHandle {
  connect(request: object, path: string): number | undefined
  close(): void
}

interface PipeBinding {
  Pipe: new (type: number) => PipeHandle
  PipeConnectWrap: new () => { oncomplete?: (status: number) => void }
  constants: { IPC: number }
}

function pipeBinding(): PipeBinding | null {
  const { Pipe, PipeConnectWrap, constants } = bindingOf<PipeBinding>('pipe_wrap')
  if (typeof Pipe?.prototype?.writeLatin1String !== 'function') return null
  if (typeof PipeConnectWrap !== 'function' || typeof constants?.IPC !== 'number') return null
  return { Pipe, PipeConnectWrap, constants }
}

type WriteRequest = new () => { handle?: object; oncomplete?: () => void }

function writeRequest(): WriteRequest | null {
  const { WriteWrap } = bindingOf<{ WriteWrap: WriteRequest }>('stream_wrap')
  return typeof WriteWrap === 'function' ? WriteWrap : null
}

/** What is there of a part of Node that is written in C++. */
function bindingOf<Binding>(name: string): Partial<Binding> {
  try {
    return (process as unknown as { binding(name: string): Partial<Binding> }).binding(name)
  } catch {
    return {}
  }
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
 * Takes the handle from a connection with TLS whose handshake is over, as {@link takeHandle} does.
 * What Node would do at an error of TLS, or if a client wanted to renegotiate, needs the socket.
 *
 * @param failed called for an error of TLS: the connection is of no use any more
 */
export function takeTlsHandle(socket: Socket, failed: () => void): object | null {
  const handle = takeHandle(socket) as SocketHandle | null
  if (handle === null) return null
  handle.onerror = failed
  handle.onhandshakestart = () => {}
  handle.onhandshakedone = () => {}
  return handle
}

/**
 * Why the certificate that a client has sent is not accepted; null if nothing is wrong with it.
 * Node does not let OpenSSL decide that.
 */
export function certificateError(socket: Socket): string | null {
  const handle = (socket as unknown as SocketInternals)._handle
  if (typeof handle?.verifyError !== 'function') return 'this Node.js cannot check it'
  const error = handle.verifyError()
  return error ? (error.message ?? String(error.code)) : null
}

/**
 * Whether a connection has not been reset. A unix socket has nothing of the kind: it is said to be
 * connected.
 */
export function isConnected(socket: Socket): boolean {
  const handle = (socket as unknown as SocketInternals)._handle
  if (!handle) return false
  return typeof handle.getpeername !== 'function' || !((handle.getpeername({}) ?? 0) < 0)
}

/**
 * Gives a new connection with TLS what the socket below it has read.
 * @returns whether that is possible
 */
export function receiveTls(socket: Socket, bytes: Buffer): boolean {
  const handle = (socket as unknown as SocketInternals)._handle
  if (typeof handle?.receive !== 'function') return false
  handle.receive(bytes)
  return true
}

/**
 * Has Node emit the errors of a connection with TLS whose handshake is over, and `node:http2` take
 * it for connected, as a server of `node:tls` does.
 */
export function emitTlsErrors(socket: Socket): void {
  const owner = socket as unknown as { _releaseControl?(): void; secureConnecting?: boolean }
  owner._releaseControl?.()
  owner.secureConnecting = false
}

/**
 * Bytes that have left this process on a socket, ever. Of a write that is under way only the handle
 * knows how much is done; Node's own socket timeouts look at the same members.
 */
export function bytesTaken(socket: Socket): number {
  const own = (socket as unknown as SocketInternals)._handle
  // Below TLS, it is seen how much of a large piece has left.
  const handle = own?._parent ?? own
  return (handle?.bytesWritten ?? 0) - (handle?.writeQueueSize ?? 0)
}

/** Bytes that were read below TLS, ever, with all that carries the data; 0 if it is not known. */
export function bytesCarried(socket: Socket): number {
  return (socket as unknown as SocketInternals)._handle?._parent?.bytesRead ?? 0
}

/** Reads a socket again whose handle another one, such as a session of `node:http2`, has paused. */
export function startReading(socket: Socket): void {
  const handle = (socket as unknown as SocketInternals)._handle
  handle?.readStart?.()
}

/** Bytes that were given to a socket and that the kernel has not taken yet. */
export function bytesUnsent(socket: Socket): number {
  const handle = (socket as unknown as SocketInternals)._handle
  return (handle?.writeQueueSize ?? 0) + (handle?._parent?.writeQueueSize ?? 0)
}

/**
 * Has the next `destroy()` of a socket reset the connection, also one below TLS.
 * @returns whether that is possible: there is no such thing for a unix socket
 */
export function resetOnDestroy(socket: Socket): boolean {
  const owner = socket as unknown as SocketInternals
  const handle = owner._handle
  if (typeof handle?.reset === 'function') {
    owner.resetAndClosing = true
    return true
  }
  const parent = handle?._parent
  const below = handle?._parentWrap
  if (typeof parent?.reset !== 'function' || below === undefined) return false
  // The end of TLS may still wait for the client. libuv then refuses to reset the connection, and
  // Node would leave it open.
  below.once('error', () => parent.close?.(() => below.emit('close', true)))
  ;(below as unknown as SocketInternals).resetAndClosing = true
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
  address: string | null,
  port: number | null,
  addressType: 4 | 6 | -1 | null,
  fd?: number,
  flags?: number,
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
  return mustHave(createServerHandle)(address, port, addressType, undefined, flags)
}

/**
 * The handle of a stream socket that this process was started with.
 *
 * @returns the handle, or an errno if the descriptor is something else
 * @throws Error where Node has no such thing
 */
export function adoptHandle(fd: number): ServerHandle | number {
  return mustHave(createServerHandle)(null, null, null, fd)
}

function mustHave(create: CreateServerHandle | undefined): CreateServerHandle {
  if (create !== undefined) return create
  throw new Error(
    `Node.js ${process.version} lacks net._createServerHandle, which Monoceros needs to listen`,
  )
}
