import { Socket } from 'node:net'
import { takeHandle } from './node-internals.ts'

/** Where a socket reads to, and what is called for each read: see {@link readingSocket}. */
export interface Reading {
  /**
   * Where the next bytes go. A function is called at the beginning and after each read; null means
   * the same buffer again.
   */
  readonly buffer: Buffer | (() => Buffer | null)
  /** Called when `length` bytes are in the buffer. */
  read(length: number): void
}

/**
 * Makes a socket on `handle` that reads into the given buffers and emits no `data`. Pausing,
 * resuming, `end` and writing work as usual.
 *
 * Node by itself allocates 64 KiB for each read and passes what came through a readable stream.
 * That costs as much as everything else that Node does for a small request: a server that answers
 * everything with one string needed 7.0 µs of user time a request, and 2.8 µs with such sockets.
 * They also save a tenth of the system's time, which clears the pages.
 *
 * Node documents the `onread` option for `net.connect` only; the sockets of servers and of child
 * processes do not offer it.
 *
 * @param allowHalfOpen our direction stays open when the peer has closed its own
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
 * The same for a socket that Node made and that has not been read from yet. The old socket
 * cannot be used afterwards. Null if this Node.js cannot do that; then use the socket as it is.
 */
export function rereadSocket(socket: Socket, reading: Reading): Socket | null {
  const handle = takeHandle(socket)
  return handle === null ? null : readingSocket(handle, reading, socket.allowHalfOpen)
}
