import { describe, expect, onTestFinished, test } from 'vitest'
import {
  block,
  DATA,
  END_HEADERS,
  frame,
  HEADERS,
  headers,
  indexed,
  RawHttp2,
  reference,
  request,
  u32,
  WINDOW_UPDATE,
} from '../support/http2-frames.ts'
import { ask, goodClient } from '../support/http2-survival.ts'
import { startPlain } from '../support/plain-application.ts'
import { childrenOf } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { forgetPeak, mebibytes, resourcesOf } from '../support/resources.ts'
import { waitFor } from '../support/wait-for.ts'

// Clients of HTTP/2 that make the server hold something on many streams at once. What is held is
// bounded by the same budgets as over HTTP/1.1, and others are answered in the meantime.

const MIB = 1024 * 1024
const MEMORY = 48 * MIB
const DISK = 128 * MIB
/** Beside what is counted: sessions, streams, exchanges, and what V8 and malloc keep. */
const SLACK = 160 * MIB
const CONNECTIONS = 20
/** Connections whose streams have 1 MB each: 720 MB, more than memory and disk may hold. */
const LARGE_ANSWERS = 8
const STREAMS = 90
const INITIAL_WINDOW_SIZE = 4
/** The newest entry of HPACK's dynamic table. */
const NEWEST = 62

interface Holder {
  readonly name: string
  readonly connections?: number
  readonly settings: readonly (readonly [id: number, value: number])[]
  /** The streams of one connection. */
  readonly send: (connection: RawHttp2, stream: number) => void
}

/** A head of 60 KB, in 60 bytes: most of it refers to one field, which is sent once. */
function compressedHead(stream: number): Buffer {
  const first = stream === 1 ? indexed('x-large', 'a'.repeat(4000)) : reference(NEWEST)
  const others = Array.from({ length: 14 }, () => reference(NEWEST))
  const fields = block(request('/length', [], 'POST'))
  return frame(HEADERS, END_HEADERS, stream, Buffer.concat([fields, first, ...others]))
}

const holders: readonly Holder[] = [
  {
    name: 'large heads that were sent with few bytes, of requests that never end',
    connections: 60,
    settings: [],
    send: (connection, stream) => connection.send(compressedHead(stream)),
  },
  {
    name: 'windows that are never opened, for 1 MB on each stream',
    connections: LARGE_ANSWERS,
    settings: [[INITIAL_WINDOW_SIZE, 0]],
    send: (connection, stream) => connection.send(headers(stream, request('/whole?size=1000000'))),
  },
  {
    name: 'windows of one byte, opened by one byte each',
    connections: LARGE_ANSWERS,
    settings: [[INITIAL_WINDOW_SIZE, 1]],
    send: (connection, stream) => {
      connection.send(headers(stream, request('/whole?size=1000000')))
      if (stream > 1) return
      connection.socket.on('data', () => {
        const open = Array.from({ length: STREAMS }, (_, i) =>
          frame(WINDOW_UPDATE, 0, 1 + 2 * i, u32(1)),
        )
        if (!connection.ended) setTimeout(() => connection.send(...open), 50)
      })
    },
  },
  {
    name: 'bodies that never end',
    settings: [],
    send: (connection, stream) => {
      connection.send(
        headers(stream, request('/length', [], 'POST'), END_HEADERS),
        frame(DATA, 0, stream, Buffer.alloc(700)),
      )
    },
  },
  {
    name: 'whole windows of bodies that never end',
    settings: [],
    send: (connection, stream) => {
      const piece = frame(DATA, 0, stream, Buffer.alloc(16_000))
      connection.send(headers(stream, request('/length', [], 'POST'), END_HEADERS))
      // The window of the connection is as large as that of a stream, at first.
      if (stream <= 7) connection.send(piece)
    },
  },
  {
    name: 'large answers that are not read from the socket',
    connections: LARGE_ANSWERS,
    settings: [[INITIAL_WINDOW_SIZE, 2 ** 30]],
    send: (connection, stream) => {
      if (stream === 1) {
        connection.send(frame(WINDOW_UPDATE, 0, 0, u32(2 ** 30)))
        connection.socket.pause()
      }
      connection.send(headers(stream, request('/whole?size=1000000')))
    },
  },
]

describe.skipIf(!hasPython())('clients of HTTP/2 that hold', () => {
  test.each(holders)(
    '$name are bounded in sum, and disturb nobody',
    async ({ name, connections = CONNECTIONS, settings, send }) => {
      const budgets = ['--client-memory', String(MEMORY), '--spool-size', String(DISK)]
      const server = await startPlain({
        args: [
          ...[...budgets, '--spool-reserve', '0', '--h2c', '--graceful-timeout', '1'],
          // The one that means no harm is idle while the others connect.
          ...['--keep-alive', '60'],
        ],
      })
      const [acceptor = 0] = childrenOf(server.pid)
      const good = goodClient(server)
      onTestFinished(() => good.destroy())
      expect(await ask(good)).toBe(200)
      const before = resourcesOf(acceptor).resident
      forgetPeak(acceptor)
      const clients: RawHttp2[] = []
      for (let n = 0; n < connections; n++) {
        const client = await RawHttp2.open(server, { settings })
        clients.push(client)
        for (let i = 0; i < STREAMS; i++) send(client, 1 + 2 * i)
      }
      const statuses = new Map<number, number>()
      for (let n = 0; n < 40; n++) {
        const status = await ask(good)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
      const grown = resourcesOf(acceptor).peak - before
      console.log(`${name}: the acceptor grew by ${mebibytes(grown)}; others got`, statuses)
      expect(grown).toBeLessThan(MEMORY * 1.5 + SLACK)
      expect(statuses.get(200) ?? 0).toBeGreaterThan(35)
      for (const client of clients) client.close()
      await waitFor('another answer', async () => (await ask(good)) === 200)
    },
  )
})
