import { createServer, type IncomingMessage } from 'node:http'
import { Duplex } from 'node:stream'

/** A request as Node's own HTTP server saw it. */
export interface SeenRequest {
  method: string
  target: string
  version: string
  fields: [name: string, value: string][]
  body: string
  complete: boolean
}

/** What Node's own HTTP server made of all the bytes of one connection. */
export interface Sight {
  requests: SeenRequest[]
  /** The parser's error code (`HPE_…`), or null. */
  error: string | null
}

/** The client's side of a connection, in memory; what the server writes goes nowhere. */
class Wire extends Duplex {
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    done()
  }
}

// Strict, with nothing but its limits changed: ours are tested on their own.
const server = createServer({
  insecureHTTPParser: false,
  requireHostHeader: true,
  maxHeaderSize: 1024 * 1024,
})
server.maxHeadersCount = 0
server.timeout = 0

let seen: { request: IncomingMessage; parts: Buffer[] }[] = []
let error: string | null = null

function see(request: IncomingMessage): void {
  const parts: Buffer[] = []
  // Taken where the parser hands it in: the stream itself would deliver it later, and this way a
  // case needs no waiting.
  request.push = (chunk: Buffer | null) => {
    if (chunk !== null) parts.push(chunk)
    return true
  }
  seen.push({ request, parts })
}

server.on('request', see)
server.on('connect', see)
server.on('clientError', (failure: NodeJS.ErrnoException) => {
  error ??= failure.code ?? failure.message
})

/**
 * Feeds `bytes` to Node's HTTP server (llhttp, strict mode) as one connection. No request is ever
 * answered.
 */
export function seenByNode(bytes: Buffer): Sight {
  seen = []
  error = null
  const wire = new Wire()
  server.emit('connection', wire)
  // What a socket does when it has read: the server's listener parses at once.
  wire.emit('data', bytes)
  const sight = {
    requests: seen.map(({ request, parts }) => ({
      method: request.method!,
      target: request.url!,
      version: request.httpVersion,
      fields: Array.from({ length: request.rawHeaders.length / 2 }, (_, i): [string, string] => [
        request.rawHeaders[i * 2]!,
        request.rawHeaders[i * 2 + 1]!,
      ]),
      body: Buffer.concat(parts).toString('latin1'),
      complete: request.complete,
    })),
    error,
  }
  wire.on('error', () => {})
  wire.destroy()
  return sight
}
