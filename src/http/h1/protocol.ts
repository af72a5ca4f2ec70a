import type { Socket } from 'node:net'
import type { Connection, ConnectionContext, Protocol } from '../connection.ts'
import type { Field } from '../response-head.ts'
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
const NO_PLACE = wholeAnswer(503, RETRY_SOON)

/** The whole answer to a client that speaks plain HTTP where TLS is expected. */
export const PLAIN_HTTP_REFUSED = wholeAnswer(400, [], 'This port speaks HTTPS, not plain HTTP.\n')

function wholeAnswer(status: number, fields: readonly Field[], text?: string): string {
  const [head, usual] = smallAnswer(status, fields)
  const body = text === undefined ? usual : Buffer.from(text)
  const { lines } = RenderedHead.of(head)
  return (
    `${lines}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n` +
    `${body.toString('latin1')}`
  )
}
