import type { Socket } from 'node:net'
import { resetOnDestroy } from './node-internals.ts'

/**
 * Ends a connection now, so that the client sees that something is missing.
 *
 * On TCP that is a reset. A unix socket has none: the kernel sends the client an error (ECONNRESET)
 * only if something that the client sent was not read, and else the end of the stream. The nearest
 * thing is then to drop what has not been sent and to close at once, which is what this does.
 *
 * Node's `resetAndDestroy()` will not do: it throws on a unix socket, and on others it ends the
 * stream in good order first, which waits for a client that takes nothing, and tells one that reads
 * that all is well.
 */
export function reset(socket: Socket): void {
  resetOnDestroy(socket)
  socket.destroy()
}
