import type { Socket } from 'node:net'
import { resetOnDestroy } from './node-internals.ts'

/**
 * Ends a connection now, so that the client sees that something is missing.
 *
 * On TCP that is a reset. A unix socket has none: the kernel sends the client an error (ECONNRESET)
 * only if it has sent something that was not read, and otherwise the end of the stream. The closest
 * equivalent is to drop what has not been sent and to close at once, which this function does.
 *
 * Node's `resetAndDestroy()` is not suitable: it throws on a unix socket, and on others it first
 * ends the stream in an orderly way. That waits for a client that takes nothing, and looks like a
 * complete response to one that reads.
 */
export function reset(socket: Socket): void {
  resetOnDestroy(socket)
  socket.destroy()
}
