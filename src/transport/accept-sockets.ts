import type { Server, Socket } from 'node:net'
import { LENT_MEMORY } from '../bytes/lent-memory.ts'
import { Span } from '../bytes/span.ts'
import {
  acceptingHandle,
  descriptorOf,
  type ListeningHandle,
  pausableHandle,
} from './node-internals.ts'
import { readingSocket } from './reading-socket.ts'

/** Takes what a socket reads. */
export interface Receiver {
  /**
   * Whether large reads may be lent ({@link Span.lent}). Then it must not keep views of them; see
   * `bytes/lent-memory.ts`. Defaults to false.
   */
  readonly takesLent?: boolean
  /**
   * Unless the bytes are lent, nobody writes to the memory again, so views of it stay valid. The
   * span itself is the caller's, and may be used as a cursor until the call returns.
   */
  received(bytes: Span): void
}

/**
 * Called for each new socket. Returns what reads it, or null if nothing does.
 *
 * @param descriptor its number, which is the lowest that was free; -1 if it is not known
 */
export type Accept = (socket: Socket, descriptor: number) => Receiver | null

/** All sockets are read into this buffer; what is kept of it is copied before the next read. */
const READ_BUFFER = LENT_MEMORY
/**
 * Small reads are copied into a shared slab. A slow request can keep one slab from being freed.
 */
const SLAB = 16 * 1024
const SMALL = 4 * 1024
/** Up to this many bytes, a loop copies faster than a call into native code. */
const BY_HAND = 256

/** What all sockets have read, while it is handed over. */
const READ = new Span()

let slab = Buffer.allocUnsafeSlow(SLAB)
let used = 0

/**
 * Gives each new connection of a listening server to `accept`, as a socket that is cheap to read
 * ({@link readingSocket}). If this Node.js cannot do that, it is a socket that Node made.
 *
 * @param accept returns what reads the socket, or null if nothing does
 */
export function acceptSockets(server: Server, accept: Accept): void {
  const handle = acceptingHandle(server)
  if (handle === null) {
    server.on('connection', (socket) => {
      const receiver = accept(socket, -1)
      if (receiver !== null) readEvents(socket, receiver)
    })
    return
  }
  const original = handle.onconnection
  const { allowHalfOpen = false } = server as { allowHalfOpen?: boolean }
  handle.onconnection = function (this: unknown, status, client) {
    if (client === undefined) original.call(this as ListeningHandle, status, client)
    else acceptHandle(client, allowHalfOpen, accept)
  }
}

/**
 * Leaves new connections to the kernel's queue for the time being. (Starting to read and stopping
 * it is what makes libuv not look at a listening socket any more; see also `bound-socket.ts`.)
 *
 * @returns a function that accepts again; null if this Node.js cannot do that
 */
export function pauseAccepting(server: Server, backlog: number): (() => void) | null {
  const handle = pausableHandle(server)
  if (handle === null || handle.readStart() !== 0) return null
  handle.readStop()
  return () => {
    if (server.listening) handle.listen(backlog)
  }
}

function acceptHandle(handle: object, allowHalfOpen: boolean, accept: Accept): void {
  socketOn(handle, allowHalfOpen, (socket) => {
    socket.setNoDelay(true)
    return accept(socket, descriptorOf(handle))
  })
}

/**
 * Makes a socket that is cheap to read ({@link readingSocket}).
 *
 * @param accept is called with it, and returns what reads it, or null if nothing does
 */
export function socketOn(
  handle: object,
  allowHalfOpen: boolean,
  accept: (socket: Socket) => Receiver | null,
): void {
  let receiver: Receiver | null = null
  const read = (length: number): void => {
    if (receiver !== null) handOver(receiver, length)
  }
  receiver = accept(readingSocket(handle, { buffer: READ_BUFFER, read }, allowHalfOpen))
}

/** Passes on what a socket that Node made reads. */
export function readEvents(socket: Socket, receiver: Receiver): void {
  const span = new Span()
  socket.on('data', (chunk: Buffer) => receiver.received(span.set(chunk, 0, chunk.length)))
}

function handOver(receiver: Receiver, length: number): void {
  if (length > SMALL) {
    if (receiver.takesLent === true) {
      receiver.received(READ.lend(READ_BUFFER, 0, length, 0))
      return
    }
    const bytes = Buffer.allocUnsafeSlow(length)
    bytes.set(READ_BUFFER.subarray(0, length))
    receiver.received(READ.set(bytes, 0, length))
    return
  }
  if (used + length > SLAB) {
    slab = Buffer.allocUnsafeSlow(SLAB)
    used = 0
  }
  const bytes = slab
  const start = used
  used += length
  if (length > BY_HAND) bytes.set(READ_BUFFER.subarray(0, length), start)
  else for (let i = 0; i < length; i++) bytes[start + i] = READ_BUFFER[i]
  receiver.received(READ.set(bytes, start, used))
}
