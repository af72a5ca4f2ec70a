import type { Socket } from 'node:net'

/** The end of a head. */
const HEAD_END = Buffer.from('\r\n\r\n')
/** The most bytes at a time, for a parser that sees the end of a head in something else. */
const PIECE = 1024

/**
 * Has Node's parser see what a client sends in pieces that end where a head may end, so that a
 * connection can be ended between two requests.
 *
 * Otherwise the parser makes a request and a response of every head in what was read, which is up
 * to 64 KiB: thousands for each connection, and ending it changes nothing. A piece of a body that
 * looks like the end of a head does no harm.
 *
 * @param socket of a server of `node:http`, from its event `connection`
 */
export function oneHeadAtATime(socket: Socket): void {
  // With a listener, Node's parser takes the data from its event and not from the kernel.
  socket.on('data', () => {})
  const emit = socket.emit.bind(socket) as (name: string | symbol, ...args: unknown[]) => boolean
  socket.emit = (name: string | symbol, ...args: unknown[]): boolean => {
    const [chunk] = args
    if (name !== 'data' || !Buffer.isBuffer(chunk)) return emit(name, ...args)
    let from = 0
    while (from < chunk.length && !socket.destroyed) {
      const end = chunk.indexOf(HEAD_END, from)
      const to = end === -1 ? chunk.length : end + HEAD_END.length
      const next = Math.min(to, from + PIECE)
      emit('data', chunk.subarray(from, next))
      from = next
    }
    return true
  }
}
