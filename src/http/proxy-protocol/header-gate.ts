import type { Socket } from 'node:net'
import type { Connection, ConnectionContext, HeaderGate, HeaderHost } from '../connection.ts'
import { AwaitedHeader, type HeaderGateOptions } from './awaited-header.ts'

/** Takes the header of the PROXY protocol from the beginning of each connection. */
export function headerGate(options: HeaderGateOptions): HeaderGate {
  return {
    expects: options.expects,
    connect(socket: Socket, context: ConnectionContext, host: HeaderHost): Connection {
      return new AwaitedHeader(socket, context, options, host)
    },
  }
}
