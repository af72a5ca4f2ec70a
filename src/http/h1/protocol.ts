import type { Socket } from 'node:net'
import type { Connection, ConnectionContext, Protocol } from '../connection.ts'
import { RETRY_SOON, smallAnswer } from '../small-answer.ts'
import { H1Connection } from './connection.ts'
import { RenderedHead } from './rendered-head.ts'

/** HTTP/1.0 and HTTP/1.1 (RFC 9112). */
export const h1: Protocol = {
  connect(socket: Socket, context: ConnectionContext): Connection {
    return new H1Connection(socket, context)
  },

  turnAway(socket: Socket): void {
    socket.write(NO_PLACE, 'latin1')
  },
}

/** The whole answer to a connection that is turned away. */
const NO_PLACE = noPlace()

function noPlace(): string {
  const [head, body] = smallAnswer(503, RETRY_SOON)
  const { lines } = RenderedHead.of(head)
  return (
    `${lines}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n` +
    `${body.toString('latin1')}`
  )
}
