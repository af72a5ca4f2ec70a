import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Span } from '../../src/bytes/span.ts'
import type { Reply, RequestSink } from '../../src/http/exchange.ts'
import { h1 } from '../../src/http/h1/protocol.ts'
import { byPreface } from '../../src/http/h2/by-preface.ts'
import { DEFAULT_HTTP2_OPTIONS } from '../../src/http/h2/options.ts'
import { h2 } from '../../src/http/h2/protocol.ts'
import { HttpServer } from '../../src/http/http-server.ts'
import { DEFAULT_HEAD_LIMITS } from '../../src/http/limits.ts'
import { responseHead } from '../../src/http/response-head.ts'
import { MemoryBudget } from '../../src/spool/memory-budget.ts'
import * as h2Frames from '../support/http2-frames.ts'
import { waitFor } from '../support/wait-for.ts'

// Clients that send random frames and leave at any moment. Whatever they do, their streams and
// connections end, and the memory budget goes back to zero.

const CLIENTS = 80
const { DATA, END_HEADERS, frame, headers, PING, request, RST_STREAM, u32 } = h2Frames
const { HEADERS, PREFACE, settings, WINDOW_UPDATE } = h2Frames
const INITIAL_WINDOW_SIZE = 4

/** Numbers below `limit`, the same in each run. */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

/** Streams an answer in random pieces, or in none. */
class Streamer implements RequestSink {
  closings = 0
  readonly #reply: Reply
  readonly #random: (limit: number) => number

  constructor(reply: Reply, random: (limit: number) => number) {
    this.#reply = reply
    this.#random = random
  }

  begin(): void {
    this.#reply.start(responseHead(200, []))
    this.#later()
  }

  #later(): void {
    setTimeout(() => {
      if (this.closings > 0) return
      if (this.#random(3) === 0) return this.#reply.finish()
      const length = this.#random(30_000)
      this.#reply.data(new Span().lend(Buffer.alloc(length), 0, length, 0))
      this.#later()
    }, this.#random(10))
  }

  bodyData(): void {}

  bodyEnd(): void {}

  clientEnded(): void {}

  written(): void {}

  closed(): void {
    this.closings++
  }
}

/** Sends random frames and leaves. Resolves when its connection is gone. */
function client(port: number, random: (limit: number) => number): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  const gone = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  socket.on('error', () => {}).on('data', () => {})
  if (random(6) === 0) socket.pause()
  socket.write(PREFACE)
  socket.write(settings([[INITIAL_WINDOW_SIZE, [0, 1, 30_000, 2 ** 31 - 1][random(4)]!]]))
  let next = 1
  const opened = () => 1 + 2 * random(Math.max(1, (next - 1) / 2))
  const send: (() => Buffer)[] = [
    () => {
      const method = ['GET', 'POST', 'HEAD'][random(3)]!
      next += 2
      return headers(next - 2, request('/', [], method), END_HEADERS | random(2))
    },
    () => frame(DATA, random(2), opened(), Buffer.alloc(random(3000))),
    () => frame(RST_STREAM, 0, opened(), u32(random(10))),
    () => frame(WINDOW_UPDATE, 0, random(2) * opened(), u32(1 + random(100_000))),
    () => settings([[INITIAL_WINDOW_SIZE, random(100_000)]]),
    () => frame(PING, random(2), 0, Buffer.alloc(8)),
    () => frame(HEADERS, 5, opened(), h2Frames.block([['x-trailer', 'a']])),
  ]
  let left = random(40)
  const step = (): void => {
    for (; left > 0 && !socket.destroyed; left--) {
      socket.write(send[random(3) === 0 ? random(send.length) : 0]!())
      if (random(3) > 0) continue
      left--
      setTimeout(step, random(8))
      return
    }
    if (random(2) === 0) socket.resetAndDestroy()
    else socket.destroy()
  }
  step()
  return gone
}

test.each([1, 5, 77])('nothing is left of clients that send random frames (%i)', async (seed) => {
  const random = randomNumbers(seed)
  const memory = new MemoryBudget(Number.POSITIVE_INFINITY)
  const streamers: Streamer[] = []
  const server = new HttpServer({
    protocol: byPreface(h2(DEFAULT_HTTP2_OPTIONS), h1),
    limits: DEFAULT_HEAD_LIMITS,
    timeouts: { header: 2, body: 2, keepAlive: 2, write: 2, wholeBody: 0 },
    rates: { body: 0, write: 0 },
    memory,
    serverName: '',
    handler: (_, reply) => {
      const streamer = new Streamer(reply, random)
      streamers.push(streamer)
      return streamer
    },
    maxConnections: 0,
    refused: () => {},
    turnsAway: () => {},
  })
  const listening = await server.listen({ port: 0, host: '127.0.0.1' }, () => {})
  onTestFinished(() => server.stop(0))
  const { port } = listening.address() as AddressInfo
  for (let n = 0; n < CLIENTS; n += 40)
    await Promise.all(Array.from({ length: 40 }, () => client(port, random)))
  await waitFor('the end of all connections', () => server.connections === 0)
  expect(streamers.length).toBeGreaterThan(CLIENTS / 4)
  expect(streamers.filter(({ closings }) => closings !== 1)).toEqual([])
  expect(memory.held).toBe(0)
})
