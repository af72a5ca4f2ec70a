import type { Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isLent, LENT_MEMORY, owned } from '../../bytes/lent-memory.ts'
import { Span } from '../../bytes/span.ts'
import { UNLIMITED_MEMORY } from '../../spool/memory-budget.ts'
import { DEFAULT_HEAD_LIMITS } from '../limits.ts'
import type { H1RequestHead } from './request-head.ts'
import { type ReaderOwner, RequestReader } from './request-reader.ts'

/** A request with a body of `size` bytes, of which each says which request it is of. */
interface Sent {
  readonly size: number
  readonly chunked: boolean
  readonly field: number
}

const NOT_PAUSED = {
  pause() {},
  resume() {},
  isPaused: () => false,
  readableEnded: false,
} as unknown as Socket

function bytesOf({ size, chunked, field }: Sent, number: number): Buffer {
  const body = Buffer.alloc(size, 97 + (number % 26))
  const head = `POST /${number} HTTP/1.1\r\nHost: a\r\nX: ${'v'.repeat(field)}\r\n`
  if (!chunked) return Buffer.concat([Buffer.from(`${head}Content-Length: ${size}\r\n\r\n`), body])
  const parts = [Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`)]
  for (let at = 0; at < size; at += 3000) {
    const piece = body.subarray(at, at + 3000)
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

/** Reads requests; each is answered at once, or (`late`) when a later read has been handled. */
class Owner implements ReaderOwner {
  readonly heads: H1RequestHead[] = []
  readonly bodies: Buffer[][] = []
  lentPieces = 0
  readonly #late: boolean
  reader!: RequestReader
  #over = false

  constructor(late: boolean) {
    this.#late = late
  }

  reading() {}
  headBegan() {}
  becameIdle() {}
  count() {}
  clientEnded() {}

  begin(head: H1RequestHead): void {
    this.heads.push(head)
    this.bodies.push([])
    if (head.hasBody) return this.reader.readBody(head)
    this.reader.awaitAnswer()
    this.bodyEnd()
  }

  bodyData(data: Buffer): void {
    if (isLent(data)) this.lentPieces++
    this.bodies.at(-1)!.push(owned(data))
  }

  bodyEnd(): void {
    this.#over = true
    if (!this.#late) this.answer()
  }

  answer(): void {
    if (!this.#over) return
    this.#over = false
    this.reader.reset()
    this.reader.resume()
  }

  refuseMessage(error: Error): void {
    throw error
  }
}

describe('a reader of requests', () => {
  it('keeps nothing of memory that is lent, however requests and reads lie', () => {
    let lent = 0
    const request = fc.record({
      size: fc.oneof(fc.nat(200), fc.nat(30_000)),
      chunked: fc.boolean(),
      field: fc.oneof(fc.nat(50), fc.nat(7000)),
    })
    const reads = fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 6 }),
        reads,
        fc.boolean(),
        (requests, sizes, late) => {
          const owner = new Owner(late)
          const reader = new RequestReader(NOT_PAUSED, DEFAULT_HEAD_LIMITS, UNLIMITED_MEMORY, owner)
          owner.reader = reader
          const all = Buffer.concat(requests.map(bytesOf))
          for (let at = 0, i = 0; at < all.length; i++) {
            const size = Math.min(sizes[i % sizes.length], all.length - at)
            const from = i % 3 // in front of what is read there may be other bytes
            all.copy(LENT_MEMORY, from, at, at + size)
            reader.received(new Span().lend(LENT_MEMORY, from, from + size, from))
            LENT_MEMORY.fill(0x21) // the next read of another socket
            at += size
            owner.answer()
          }
          for (let i = 0; i < requests.length; i++) owner.answer()
          lent += owner.lentPieces
          expect(owner.heads.map((head) => head.requestLine())).toEqual(
            requests.map((_, number) => `POST /${number} HTTP/1.1`),
          )
          expect(owner.heads.map((head) => head.get('x'))).toEqual(
            requests.map(({ field }) => 'v'.repeat(field)),
          )
          for (const [number, { size }] of requests.entries())
            expect(
              Buffer.concat(owner.bodies[number]).equals(Buffer.alloc(size, 97 + (number % 26))),
            ).toBe(true)
        },
      ),
      { numRuns: 150 },
    )
    expect(lent).toBeGreaterThan(0)
  })
})
