import { Socket } from 'node:net'
import { takeHandle } from './node-internals.ts'

/** What a socket reads into, and what is told of it: see {@link readingSocket}. */
export interface Reading {
  /**
   * Where the next bytes are to go. A function is asked at the beginning and after each read; null
   * means the same place again.
   */
  readonly buffer: Buffer | (() => Buffer | null)
  /** That many bytes are in the buffer. */
  read(length: number): void
}

/**
 * A socket on `handle` that reads into buffers of ours and emits no `data`; pausing, resuming,
 * `end` and writing are as ever.
 *
 * Node by itself allocates 64 KiB for each read and takes what came through a readable stream.
 * Together that costs as much as all else that node does for a small request: a server that answers
 * everything with one string needed 7.0 µs of user time a request, and 2.8 µs with such sockets; of
 * the system's time (pages to be cleared) they save a tenth.
 *
 * @param allowHalfOpen as for node's sockets: whether our direction stays open when the peer has
 * closed its own
 *
 * This is node's documented `onread` option, which `net.connect` has and a server's or a child's
 * sockets lack.
 */
export function readingSocket(handle: object, reading: Reading, allowHalfOpen: boolean): Socket {
  return new Socket({
    handle,
    allowHalfOpen,
    onread: {
      buffer: reading.buffer,
      callback: (length: number) => {
        reading.read(length)
        return true
      },
    },
  } as ConstructorParameters<typeof Socket>[0])
}

/**
 * The same for a socket that Node made and that nobody has read from yet. That one is of no use
 * afterwards. Null if this Node.js cannot do that; then use the socket as it is.
 */
export function rereadSocket(socket: Socket, reading: Reading): Socket | null {
  const handle = takeHandle(socket)
  return handle === null ? null : readingSocket(handle, reading, socket.allowHalfOpen)
}
