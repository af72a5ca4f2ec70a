import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** A span as OTLP's JSON has it. */
export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { key: string; value: Record<string, string> }[]
  readonly status?: { code: number }
}

/** Stands for a collector that takes spans over HTTP. */
export class OtlpReceiver {
  readonly requests: { path: string; headers: IncomingMessage['headers']; body: Buffer }[] = []
  /** What it answers: a status, or nothing at all. */
  answer: number | 'nothing' = 200
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (request: IncomingMessage, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { url = '', headers } = request
        this.requests.push({ path: url, headers, body: Buffer.concat(chunks) })
        if (this.answer === 'nothing') return
        response.writeHead(this.answer).end()
      })
    })
  }

  static async open(): Promise<OtlpReceiver> {
    const server = createServer()
    const receiver = new OtlpReceiver(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return receiver
  }

  /** For one test, or those of a file from a `beforeAll`. */
  static async forTest(): Promise<OtlpReceiver> {
    const receiver = await OtlpReceiver.open()
    onTestFinished(() => receiver.close())
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The spans of all requests, which have to be JSON. */
  get spans(): ReceivedSpan[] {
    return this.requests.flatMap(({ body }) =>
      JSON.parse(body.toString()).resourceSpans.flatMap(
        ({ scopeSpans }: { scopeSpans: { spans: ReceivedSpan[] }[] }) =>
          scopeSpans.flatMap(({ spans }) => spans),
      ),
    )
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
