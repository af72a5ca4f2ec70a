import type { Server, Socket } from 'node:net'
import { readingSocket } from './reading-socket.ts'

/** Takes what a socket reads: bytes `[start, end)` of `bytes`, to which nobody writes again. */
export interface Receiver {
  received(bytes: Buffer, start: number, end: number): void
}

/**
 * Says what reads a new socket, or null.
 *
 * @param descriptor its number, which is the lowest that was free; -1 where it is not known
 */
export type Accept = (socket: Socket, descriptor: number) => Receiver | null

/**
 * Node's internal handle of a listening socket, as far as it is used here; a `status` below 0 is an
 * errno.
 */
interface ListeningHandle {
  onconnection: (status: number, client: object | undefined) => void
  readStart(): number
  readStop(): number
  listen(backlog: number): number
}

/** What all sockets are read into: what came is copied out of it before anything else is read. */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)
/**
 * Small reads are copied beside each other; a slab is as much memory as a request that takes long
 * may keep from being freed.
 */
const SLAB = 16 * 1024
const SMALL = 4 * 1024
/** Up to here a loop copies faster than a call into native code. */
const BY_HAND = 256

let slab = Buffer.allocUnsafeSlow(SLAB)
let used = 0

/**
 * Gives each new connection of a listening server to `accept`, as a socket that is cheap to read
 * ({@link readingSocket}) and goes where `accept` says. Where node's insides are not what they
 * were, with node's own sockets.
 *
 * @param accept what reads the socket, or null when nothing shall
 */
export function acceptSockets(server: Server, accept: Accept): void {
  const handle = (server as unknown as { _handle?: Partial<ListeningHandle> | null })._handle
  const original = handle?.onconnection
  const { allowHalfOpen = false } = server as { allowHalfOpen?: boolean }
  if (handle === undefined || handle === null || typeof original !== 'function') {
    server.on('connection', (socket) => {
      const receiver = accept(socket, -1)
      if (receiver !== null)
        socket.on('data', (chunk: Buffer) => receiver.received(chunk, 0, chunk.length))
    })
    return
  }
  handle.onconnection = function (this: unknown, status, client) {
    if (client === undefined) original.call(this as ListeningHandle, status, client)
    else acceptHandle(client, allowHalfOpen, accept)
  }
}

/**
 * Leaves new connections to the kernel's queue for the time being. (Starting to read and stopping
 * it is what makes libuv not look at a listening socket any more; see also
 * `arbiter/bound-socket.ts`.)
 *
 * @returns a function that accepts again; null where node's insides are not what they were
 */
export function pauseAccepting(server: Server, backlog: number): (() => void) | null {
  const { _handle: handle } = server as unknown as { _handle?: Partial<ListeningHandle> | null }
  const { readStart, readStop, listen } = handle ?? {}
  if (
    typeof readStart !== 'function' ||
    typeof readStop !== 'function' ||
    typeof listen !== 'function'
  )
    return null
  if (readStart.call(handle) !== 0) return null
  readStop.call(handle)
  return () => {
    if (server.listening) listen.call(handle, backlog)
  }
}

function acceptHandle(
  handle: { readonly fd?: number },
  allowHalfOpen: boolean,
  accept: Accept,
): void {
  let receiver: Receiver | null = null
  const read = (length: number): void => {
    if (receiver !== null) handOver(receiver, length)
  }
  const socket = readingSocket(handle, { buffer: READ_BUFFER, read }, allowHalfOpen)
  socket.setNoDelay(true)
  receiver = accept(socket, handle.fd ?? -1)
}

function handOver(receiver: Receiver, length: number): void {
  if (length > SMALL) {
    const bytes = Buffer.allocUnsafeSlow(length)
    bytes.set(READ_BUFFER.subarray(0, length))
    receiver.received(bytes, 0, length)
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
  receiver.received(bytes, start, used)
}
