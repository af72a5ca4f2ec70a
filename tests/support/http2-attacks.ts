import {
  block,
  COMPRESSION_ERROR,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Fields,
  frame,
  HEADERS,
  headers,
  indexed,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  type RawHttp2,
  RST_STREAM,
  reference,
  request,
  SETTINGS,
  settings,
  tableSize,
  u32,
  WINDOW_UPDATE,
} from './http2-frames.ts'

/** A client that wants the server to work or to hold something for nothing. */
export interface Attack {
  readonly name: string
  /**
   * What the error log says of it; or the error of the GOAWAY, after which the library that Node.js
   * uses takes nothing more from the connection, without telling anybody.
   */
  readonly ends: RegExp | number
  /**
   * Does it on a new connection, bounded in number.
   * @returns when the connection has ended, or there is nothing more to send
   */
  readonly run: (connection: RawHttp2) => Promise<unknown>
}

/** How many frames are sent at once. */
const BATCH = 100
/** How often: a flood that nobody stops has an end all the same. */
const BATCHES = 4000
const ZERO = Buffer.alloc(8)
const NO_DEPENDENCY = Buffer.concat([u32(0), Buffer.of(1)])

const repeat = (bytes: Buffer, times = BATCH) => Buffer.concat(Array(times).fill(bytes))

/** For each stream of a turn, what is made of its number. */
function streams(turn: number, count: number, make: (stream: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => make(1 + 2 * (turn * count + i))))
}

function resets(make: (stream: number) => Buffer) {
  return (connection: RawHttp2) => connection.flood((turn) => streams(turn, 20, make), BATCHES)
}

const post = (stream: number, more: Fields = []) =>
  headers(stream, request('/', more, 'POST'), END_HEADERS)

/** The attacks that end with their connection, at once or within seconds. */
export const floods: readonly Attack[] = [
  {
    name: 'rapid reset (CVE-2023-44487)',
    ends: /rapid reset, CVE-2023-44487/,
    run: resets((stream) =>
      Buffer.concat([headers(stream, request()), frame(RST_STREAM, 0, stream, u32(8))]),
    ),
  },
  {
    name: 'rapid reset with the code of a server',
    ends: /rapid reset, CVE-2023-44487/,
    run: resets((stream) =>
      Buffer.concat([headers(stream, request()), frame(RST_STREAM, 0, stream, u32(2))]),
    ),
  },
  {
    name: 'bodies that are not as long as declared (CVE-2025-8671)',
    ends: /CVE-2025-8671/,
    run: resets((stream) =>
      Buffer.concat([
        post(stream, [['content-length', '5']]),
        frame(DATA, END_STREAM, stream, Buffer.from('x')),
      ]),
    ),
  },
  {
    name: 'windows that are opened by nothing (CVE-2025-8671)',
    ends: /broke the rules of HTTP\/2/,
    run: resets((stream) => Buffer.concat([post(stream), frame(WINDOW_UPDATE, 0, stream, u32(0))])),
  },
  {
    name: 'windows that are opened too far (CVE-2025-8671)',
    ends: /broke the rules of HTTP\/2/,
    run: resets((stream) =>
      Buffer.concat([post(stream), frame(WINDOW_UPDATE, 0, stream, u32(0x7fffffff))]),
    ),
  },
  {
    name: 'heads that break the rules',
    ends: /flood of invalid requests/,
    run: resets((stream) => headers(stream, request('/', [['Upper', 'x']]))),
  },
  {
    name: 'CONTINUATION (CVE-2024-27316)',
    ends: /flood of CONTINUATION frames \(CVE-2024-27316\)/,
    run: (connection) =>
      connection.flood(
        (turn) =>
          turn === 0
            ? headers(1, request(), END_STREAM)
            : repeat(frame(CONTINUATION, 0, 1, block([['x', 'y']]))),
        BATCHES,
      ),
  },
  {
    name: 'empty CONTINUATION',
    ends: /flood of CONTINUATION frames/,
    run: (connection) =>
      connection.flood(
        (turn) =>
          turn === 0 ? headers(1, request(), END_STREAM) : repeat(frame(CONTINUATION, 0, 1)),
        BATCHES,
      ),
  },
  {
    name: 'SETTINGS (CVE-2019-9515)',
    ends: /flood of (PING or )?SETTINGS/,
    run: (connection) => connection.flood(() => repeat(settings([[4, 65_535]])), BATCHES),
  },
  {
    name: 'PING (CVE-2019-9512)',
    ends: /flood of PING/,
    run: (connection) => connection.flood(() => repeat(frame(PING, 0, 0, ZERO)), BATCHES),
  },
  {
    name: 'PING, as fast as its answers are read',
    ends: /flood of PING/,
    run: async (connection) => {
      let answered = 0
      connection.socket.on('data', (bytes: Buffer) => {
        answered += bytes.length
      })
      for (let turn = 0; turn < BATCHES && !connection.ended; turn++) {
        const before = answered
        // So many that they are more than is allowed in a second on a busy machine, too.
        connection.send(repeat(frame(PING, 0, 0, ZERO), 5 * BATCH))
        while (!connection.ended && answered === before)
          await new Promise((resolve) => setTimeout(resolve, 1))
      }
    },
  },
  {
    name: 'answers to PING that nobody asked for',
    ends: /broke the rules of HTTP\/2/,
    run: (connection) => connection.flood(() => repeat(frame(PING, 1, 0, ZERO)), BATCHES),
  },
  {
    name: 'acknowledged SETTINGS that nobody sent',
    ends: /broke the rules of HTTP\/2/,
    run: (connection) => connection.flood(() => repeat(frame(SETTINGS, 1, 0)), BATCHES),
  },
  {
    name: 'PRIORITY of streams that do not exist',
    ends: /flood of PRIORITY/,
    run: (connection) =>
      connection.flood(
        (turn) => streams(turn, BATCH, (stream) => frame(PRIORITY, 0, stream, NO_DEPENDENCY)),
        BATCHES,
      ),
  },
  {
    name: 'WINDOW_UPDATE',
    ends: /flood of PRIORITY, WINDOW_UPDATE/,
    run: (connection) =>
      connection.flood(() => repeat(frame(WINDOW_UPDATE, 0, 0, u32(1))), BATCHES),
  },
  {
    name: 'frames of an unknown type',
    ends: /empty or unknown frames/,
    run: (connection) => connection.flood(() => repeat(frame(0x42, 0, 0, ZERO)), BATCHES),
  },
  {
    name: 'empty DATA (CVE-2019-9518)',
    ends: /empty DATA frames|empty or unknown frames/,
    run: (connection) =>
      connection.flood((turn) => (turn === 0 ? post(1) : repeat(frame(DATA, 0, 1))), BATCHES),
  },
  {
    name: 'empty HEADERS',
    ends: /flood of invalid requests/,
    run: resets((stream) => frame(HEADERS, END_STREAM | END_HEADERS, stream)),
  },
  {
    name: 'an HPACK bomb of references',
    ends: /flood of (streams over the limits|PRIORITY|invalid requests)/,
    run: (connection) =>
      connection.flood((turn) => {
        const first = turn === 0 ? indexed('x-a', 'a'.repeat(4000)) : Buffer.alloc(0)
        const bomb = Buffer.concat([block(request()), first, repeat(reference(62), 12_000)])
        return frame(HEADERS, END_STREAM | END_HEADERS, 1 + 2 * turn, bomb)
      }, 200),
  },
  {
    name: 'HPACK tables that change their size',
    ends: /flood of PRIORITY|broke the rules|flood of invalid/,
    run: (connection) =>
      connection.flood((turn) => {
        const changes = repeat(Buffer.concat([tableSize(0), tableSize(4096)]), 4000)
        const bytes = Buffer.concat([changes, block(request())])
        return frame(HEADERS, END_STREAM | END_HEADERS, 1 + 2 * turn, bytes)
      }, 200),
  },
  {
    name: 'an HPACK table larger than was offered',
    ends: COMPRESSION_ERROR,
    run: (connection) =>
      connection.flood(
        (turn) =>
          frame(
            HEADERS,
            END_STREAM | END_HEADERS,
            1 + 2 * turn,
            Buffer.concat([tableSize(2 ** 30), block(request())]),
          ),
        BATCHES,
      ),
  },
  {
    name: 'requests without end, and no answer is read',
    ends: /flood of|took|more than/,
    run: (connection) => {
      connection.socket.pause()
      return connection.flood(
        (turn) => streams(turn, 20, (stream) => headers(stream, request())),
        BATCHES,
      )
    },
  },
  {
    name: 'streams that depend on themselves (CVE-2025-8671)',
    ends: /told so with a GOAWAY/,
    run: resets((stream) =>
      Buffer.concat([
        post(stream),
        frame(PRIORITY, 0, stream, Buffer.concat([u32(stream), Buffer.of(1)])),
      ]),
    ),
  },
  {
    name: 'bodies after their end (CVE-2025-8671)',
    ends: /told so with a GOAWAY/,
    run: resets((stream) =>
      Buffer.concat([headers(stream, request()), frame(DATA, 0, stream, Buffer.from('x'))]),
    ),
  },
  {
    name: 'PUSH_PROMISE, which is the server\u2019s',
    ends: /broke the rules of HTTP\/2/,
    run: (connection) =>
      connection.flood(
        () => frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.concat([u32(2), block(request())])),
        BATCHES,
      ),
  },
  {
    name: 'frames of streams on stream 0',
    ends: /broke the rules of HTTP\/2/,
    run: (connection) => connection.flood(() => headers(0, request()), BATCHES),
  },
]
