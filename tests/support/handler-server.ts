import { type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { Span } from '../../src/bytes/span.ts'
import type { Reply, RequestHandler } from '../../src/http/exchange.ts'
import { h1 } from '../../src/http/h1/protocol.ts'
import { HttpServer } from '../../src/http/http-server.ts'
import { DEFAULT_HEAD_LIMITS } from '../../src/http/limits.ts'
import { responseHead } from '../../src/http/response-head.ts'
import { type MemoryBudget, UNLIMITED_MEMORY } from '../../src/spool/memory-budget.ts'
import type { FileAnswer, FileRequest } from './static-file-cases.ts'

/** A server in this process, for handlers of the edge. */
export interface HandlerServer {
  readonly port: number
  readonly host: string
  ask(request: FileRequest): Promise<FileAnswer>
  stop(): Promise<void>
}

/** Serves a handler on a free port of 127.0.0.1. If it is in a test, it is stopped with that. */
export async function serveHandler(
  handler: RequestHandler,
  memory: MemoryBudget = UNLIMITED_MEMORY,
): Promise<HandlerServer> {
  const server = new HttpServer({
    protocol: h1,
    limits: DEFAULT_HEAD_LIMITS,
    timeouts: { header: 30, body: 30, keepAlive: 30, write: 30, wholeBody: 0 },
    rates: { body: 0, write: 0 },
    memory,
    serverName: '',
    handler,
    maxConnections: 0,
    refused: () => {},
    turnsAway: () => {},
  })
  const listening = await server.listen({ port: 0, host: '127.0.0.1' }, () => {})
  const { port } = listening.address() as AddressInfo
  const stop = () => server.stop(0)
  try {
    onTestFinished(stop)
  } catch {
    // It is started for a whole file, which stops it.
  }
  return { port, host: '127.0.0.1', ask: (asked) => ask(port, asked), stop }
}

/** Answers each request with its method, path and body, as an application without that page. */
export const notThere: RequestHandler = (head, reply) => {
  const body: Buffer[] = []
  return {
    begin() {
      reply.wantBody()
    },
    bodyData: (chunk) => void body.push(Buffer.from(chunk)),
    bodyEnd() {
      answerWith(reply, 404, `app: ${head.method} ${head.target} ${Buffer.concat(body)}`)
    },
    clientEnded() {},
    written() {},
    closed() {},
  }
}

export function answerWith(
  reply: Reply,
  status: number,
  text: string,
  fields: readonly (readonly [string, string])[] = [],
): void {
  const bytes = Buffer.from(text)
  reply.respond(responseHead(status, fields, -1), new Span().set(bytes, 0, bytes.length))
}

function ask(port: number, { method = 'GET', target, headers = [] }: FileRequest) {
  // What a client cannot send stands in its encoded form.
  const path = target.replace(/[^\x21-\x7e]|#/g, (character) => encoded(character))
  return new Promise<FileAnswer>((resolve, reject) => {
    const sent = request({
      port,
      host: '127.0.0.1',
      method,
      path,
      headers: Object.fromEntries(headers),
    })
    sent.on('response', (response) => resolve(whole(response)))
    sent.on('error', reject)
    sent.end()
  })
}

function encoded(character: string): string {
  return `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
}

async function whole(response: IncomingMessage): Promise<FileAnswer> {
  const pieces: Buffer[] = []
  let complete = true
  try {
    for await (const piece of response) pieces.push(piece as Buffer)
  } catch {
    complete = false
  }
  const headers: [string, string][] = []
  for (let i = 0; i < response.rawHeaders.length; i += 2) {
    const name = response.rawHeaders[i]!
    if (!/^(?:date|connection)$/i.test(name)) headers.push([name, response.rawHeaders[i + 1]!])
  }
  return {
    status: `${response.statusCode} ${response.statusMessage}`,
    headers,
    body: Buffer.concat(pieces).toString('latin1'),
    complete,
    header: (name) => {
      const value = response.headers[name.toLowerCase()]
      return Array.isArray(value) ? value.join(', ') : value
    },
  }
}
