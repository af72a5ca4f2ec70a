import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EnduranceServer } from '../support/endurance-application.ts'
import { KeepAliveClient } from '../support/keep-alive-client.ts'
import { abandonUpload, download, upload } from '../support/large-transfer.ts'
import { get, post } from '../support/plain-application.ts'
import type { Random } from '../support/random.ts'

const mebibyte = 1024 * 1024
const fileSize = 300_000

/**
 * Says that something was lost with a worker that was killed: 502, or a response that is cut off.
 * Anything else is an error.
 */
export class LostWithWorker extends Error {}

/**
 * One thing that a client does, from connecting to leaving. Resolves with the number of its
 * requests, when that is not 1; throws when it did not go as it should.
 */
type Act = (server: EnduranceServer, random: Random) => Promise<number | undefined>

/** What clients do, and how often each in relation to the others. */
const acts: Record<string, { weight: number; act: Act }> = {
  'short answers, one after another': {
    weight: 30,
    act: async (server, random) => {
      const client = await KeepAliveClient.open(server)
      const count = 1 + random(20)
      for (let n = 1; n <= count; n++) {
        const close = n === count && random(2) === 0 ? ['Connection: close'] : []
        await expectAnswer(client, get('/', ...close), 'hello\n')
      }
      client.close()
      return count
    },
  },
  'pipelined requests': {
    weight: 10,
    act: async (server, random) => {
      const client = await KeepAliveClient.open(server)
      const bodies = Array.from({ length: 2 + random(9) }, (_, n) => `${n}-${random(1000)}`)
      const results = await Promise.allSettled(
        bodies.map((body) => expectAnswer(client, post('/echo', body), body)),
      )
      client.close()
      for (const result of results) if (result.status === 'rejected') throw result.reason
      return bodies.length
    },
  },
  'an upload that stays in memory': {
    weight: 10,
    act: async (server, random) => {
      const client = await KeepAliveClient.open(server)
      const body = String.fromCharCode(97 + random(26)).repeat(1 + random(500_000))
      await expectAnswer(client, post('/echo', body), body)
      client.close()
    },
  },
  'an upload by way of a file': {
    weight: 5,
    act: async (server, random) => {
      const size = (2 + random(3)) * mebibyte
      await rethrown(upload(server, size, random(2) === 0 ? 'length' : 'chunked'))
    },
  },
  'a streamed response': {
    weight: 8,
    act: async (server, random) => {
      const size = 1 + random(2 * mebibyte)
      await rethrown(
        download(server, `/download?size=${size}${random(2) === 0 ? '&sized' : ''}`, size),
      )
    },
  },
  'a file': {
    weight: 4,
    act: async (server) => {
      await rethrown(download(server, '/file?name=zeros', fileSize, { zeros: true }))
    },
  },
  'a slow reader': {
    weight: 3,
    act: async (server, random) => {
      // More than fits into the buffers on the way, so that the application waits for it.
      const size = 4 * mebibyte + random(3 * mebibyte)
      await rethrown(download(server, `/download?size=${size}`, size, { pause: random(20) }))
    },
  },
  'an application that raises before its answer': {
    weight: 4,
    act: async (server) => {
      const client = await KeepAliveClient.open(server)
      const { status } = await client.request(get('/raise-before'))
      client.close()
      if (status === 502) throw new LostWithWorker('502')
      if (status !== 500) throw new Error(`${status} where the application raised`)
    },
  },
  'an application that raises in its answer': {
    weight: 4,
    act: async (server) => {
      const outcome = await download(server, '/raise-after', -1).then(
        () => 'was complete',
        (error: Error) => error.message,
      )
      // With fewer bytes than it has given its worker was killed.
      if (/^answered HTTP\/1\.1 502|^got (0|65536) of/.test(outcome))
        throw new LostWithWorker(outcome)
      if (!outcome.startsWith('got 131072 of')) throw new Error(`raised in the middle: ${outcome}`)
    },
  },
  'a malformed request': {
    weight: 2,
    act: async (server) => {
      const client = await KeepAliveClient.open(server)
      const { status, closes } = await client.request(
        'GET / HTTP/1.1\r\nHost: test\r\nHost: again\r\n\r\n',
      )
      client.close()
      if (status !== 400 || !closes) throw new Error(`${status} where the request was malformed`)
    },
  },
  'a client that leaves before its request is complete': {
    weight: 8,
    act: async (server, random) => {
      const starts = [
        '',
        'GET /half',
        'POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\nhalf',
      ]
      await sendAndLeave(server, starts[random(starts.length)] ?? '', random(30), random(2) === 0)
    },
  },
  'a client that leaves in the middle of a large upload': {
    weight: 3,
    act: async (server, random) => {
      await abandonUpload(server, 50 * mebibyte, random(2) === 0 ? 'length' : 'chunked', random(4))
    },
  },
  'a client that leaves before its answer': {
    weight: 6,
    act: async (server, random) => {
      await sendAndLeave(server, get('/nap?ms=20'), random(25), random(2) === 0)
    },
  },
  'a client that leaves in the middle of a response': {
    weight: 5,
    act: async (server, random) => {
      const size = 50 * mebibyte
      await rethrown(
        download(server, `/download?size=${size}`, size, {
          abandonAfter: 1 + random(2 * mebibyte),
        }),
      )
    },
  },
  'an idle connection that is used again': {
    weight: 3,
    act: async (server, random) => {
      const client = await KeepAliveClient.open(server)
      await expectAnswer(client, get('/'), 'hello\n')
      await sleep(random(2_000))
      await expectAnswer(client, get('/'), 'hello\n')
      client.close()
      return 2
    },
  },
}

const CUT_OFF = /^got \d+ bytes of an answer: closed by the server$/

export const numberOfActs = Object.keys(acts).length

const drawn = Object.entries(acts).flatMap(([name, { weight }]) =>
  Array.from({ length: weight }, () => name),
)

export interface TrafficReport {
  /** How often each act was done. */
  done: Map<string, number>
  /** How many requests that were. */
  requests: number
  /** Acts that were lost with a killed worker. */
  lost: { at: number; since: number; what: string }[]
  /** Acts that went wrong in any other way. */
  faults: string[]
}

/**
 * Starts clients that do one act after another, in random order, with a breath in between, until
 * they are stopped.
 */
export function startTraffic(server: EnduranceServer, clients: number, random: Random) {
  writeFileSync(join(server.data, 'zeros'), Buffer.alloc(fileSize))
  const report: TrafficReport = { done: new Map(), requests: 0, lost: [], faults: [] }
  let stopping = false

  async function client(): Promise<void> {
    while (!stopping) {
      const name = drawn[random(drawn.length)] ?? ''
      const since = performance.now()
      try {
        const requests = (await acts[name]?.act(server, random)) ?? 1
        report.requests += requests
      } catch (error) {
        const what = `${name}: ${error instanceof Error ? error.message : error}`
        if (error instanceof LostWithWorker)
          report.lost.push({ at: performance.now(), since, what })
        else report.faults.push(what)
      }
      report.done.set(name, (report.done.get(name) ?? 0) + 1)
      await sleep(random(30))
    }
  }

  const running = Promise.all(Array.from({ length: clients }, client))
  return {
    report,
    /** Lets every client finish what it does. */
    stop: async (): Promise<TrafficReport> => {
      stopping = true
      await running
      return report
    },
  }
}

async function expectAnswer(
  client: KeepAliveClient,
  request: string | Buffer,
  body: string,
): Promise<void> {
  const answer = await client.request(request).catch((error: Error) => {
    // The worker was killed between two pieces of its answer.
    if (CUT_OFF.test(error.message)) throw new LostWithWorker(error.message)
    throw error
  })
  if (answer.status === 502) throw new LostWithWorker('502')
  if (answer.status !== 200 || answer.body !== body) {
    throw new Error(`answered ${answer.status}: ${answer.body.slice(0, 60)}`)
  }
  if (client.surplus > 0) throw new Error('answered twice')
}

/** What a transfer says of a worker that was killed, told apart from the rest. */
async function rethrown(transfer: Promise<unknown>): Promise<void> {
  try {
    await transfer
  } catch (error) {
    const { message } = error as Error
    if (/^answered (HTTP\/1\.1 )?502|^got \d+ of/.test(message)) throw new LostWithWorker(message)
    throw error
  }
}

/** Connects, sends, waits a little, and is gone: by a reset, or by closing without having read. */
function sendAndLeave(
  server: EnduranceServer,
  bytes: string,
  wait: number,
  reset: boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, server.host)
    socket.once('error', reject)
    socket.once('connect', () => {
      if (bytes !== '') socket.write(bytes)
      setTimeout(() => {
        socket.once('close', () => resolve())
        if (reset) socket.resetAndDestroy()
        else socket.destroy()
      }, wait)
    })
  })
}
