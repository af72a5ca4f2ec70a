import type { ServerOptions } from 'node:http2'
import type { Socket } from 'node:net'
import type { Connection, ConnectionContext, Protocol } from '../connection.ts'
import { H2Connection } from './connection.ts'
import type { Http2Options } from './options.ts'

/**
 * Beyond this many fields, a head is not read to its end, and its stream is reset: the parts of a
 * cookie are fields of their own on the way, so it is more than any limit on fields needs.
 */
const MOST_FIELDS = 1024
/**
 * What Node.js may hold for a session before it refuses streams, in megabytes: the tables of HPACK
 * and what is about to be sent. What is held for clients is counted by `MemoryBudget`.
 */
const SESSION_MEGABYTES = 32
/**
 * The largest response head that is sent, compressed, in bytes. Node's own limit, 64 KiB, is less
 * than what HTTP/1.1 sends; above it, the stream is reset and its connection ends.
 */
const LARGEST_RESPONSE_HEAD = 1024 * 1024

/** HTTP/2 (RFC 9113), as the settings have it. */
export function h2(options: Http2Options): Protocol {
  const sessionOptions: ServerOptions = {
    settings: {
      maxConcurrentStreams: options.maxConcurrentStreams,
      initialWindowSize: options.initialWindowSize,
      maxFrameSize: options.maxFrameSize,
      maxHeaderListSize: options.maxHeaderListSize,
      enablePush: false,
      enableConnectProtocol: false,
    },
    peerMaxConcurrentStreams: options.maxConcurrentStreams,
    maxHeaderListPairs: MOST_FIELDS,
    maxSessionMemory: SESSION_MEGABYTES,
    maxSendHeaderBlockLength: LARGEST_RESPONSE_HEAD,
  }
  return {
    connect(socket: Socket, context: ConnectionContext): Connection {
      return new H2Connection(socket, context, sessionOptions)
    },

    turnAway(socket: Socket): void {
      socket.write(NO_PLACE)
    },
  }
}

/**
 * The whole answer to a connection that is turned away: SETTINGS without any, and a GOAWAY that
 * says that no stream was processed, so that a client may try them elsewhere (RFC 9113 §6.8).
 */
const NO_PLACE = Buffer.from(
  '000000040000000000' + '000008070000000000' + '0000000000000000',
  'hex',
)
