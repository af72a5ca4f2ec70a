import { writeFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { http2Answer } from '../support/http2-client.ts'
import { get, type PlainServer, post, startPlain } from '../support/plain-application.ts'
import { childrenOf, openDescriptors } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { type Random, randomFrom } from '../support/random.ts'
import { RawConnection } from '../support/raw-client.ts'
import { waitFor } from '../support/wait-for.ts'

// Memory is used again for the bytes of other clients: that of large reads, of bodies, of pieces of
// files. Every byte that a client sends or gets here is its own letter, so that one of another
// client shows.

const CLIENTS = 16
/** How often each client connects. More of them for a longer search. */
const ROUNDS = Number(process.env.MONOCEROS_MARKED_ROUNDS ?? '12')
const FILE = 700_000
const letters = Array.from({ length: CLIENTS }, (_, index) => String.fromCharCode(97 + index))

/** What a client asks for, and what it may get. */
interface Asked {
  readonly bytes: Buffer
  readonly check: (body: string) => void
}

const SIZES = [0, 300, 5000, 17_000, 70_000, 200_000]

function sizeOf(random: Random): number {
  return random(SIZES[random(SIZES.length)]! + 1)
}

/** It is all of one letter; says what is not, without the rest. */
function expectMarked(what: string, letter: string, size: number): void {
  if (what === letter.repeat(size)) return
  const foreign = new RegExp(`[^${letter}].{0,50}`, 's').exec(what)
  expect([what.length, foreign?.index, foreign?.[0]]).toEqual([size, undefined, undefined])
}

function checkEcho(letter: string, field: number, size: number): Asked['check'] {
  return (text) => {
    const { environ, body } = JSON.parse(text)
    expect(environ.PATH_INFO).toBe('/echo')
    expect(environ.QUERY_STRING).toBe(letter.repeat(20))
    expectMarked(environ.HTTP_X_MARK, letter, field)
    expectMarked(body, letter, size)
  }
}

function asked(letter: string, random: Random): Asked {
  if (random(3) === 0)
    return {
      bytes: Buffer.from(get(`/file?name=${letter}`)),
      check: (body) => expectMarked(body, letter, FILE),
    }
  const field = 1 + random(random(2) === 0 ? 50 : 7000)
  const size = sizeOf(random)
  const target = `/echo?${letter.repeat(20)}`
  const mark = `X-Mark: ${letter.repeat(field)}`
  const body = Buffer.alloc(size, letter)
  const check = checkEcho(letter, field, size)
  if (random(2) === 0) return { bytes: post(target, body, mark), check }
  const parts = [
    `POST ${target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${mark}\r\n\r\n`,
  ]
  for (let at = 0; at < size; ) {
    const piece = body.toString('latin1', at, at + 1 + random(30_000))
    parts.push(`${piece.length.toString(16)}\r\n${piece}\r\n`)
    at += piece.length
  }
  return { bytes: Buffer.from(`${parts.join('')}0\r\n\r\n`), check }
}

/** One connection with several requests ahead of each other. @returns how many were answered */
async function overHttp1(
  server: PlainServer,
  letter: string,
  random: Random,
  lossy: () => boolean,
): Promise<number> {
  const client = await RawConnection.open(server)
  client.timeout = 90_000
  let answered = 0
  try {
    const requests = Array.from({ length: 1 + random(4) }, () => asked(letter, random))
    const all = Buffer.concat(requests.map(({ bytes }) => bytes))
    if (random(5) === 0) {
      // It leaves within a request, or within an answer.
      await client.send(all.subarray(0, 1 + random(all.length)))
      if (random(2) === 0) await client.send(all)
      client.reset()
      return 0
    }
    const sending = random(2) === 0 ? client.send(all) : sendInPieces(client, all, random)
    for (const { check } of requests) {
      if (random(12) === 0) {
        await client.readSome(1000)
        client.reset()
        return answered
      }
      const { status, text, complete } = await client.readResponse()
      if (status !== 200 || !complete) {
        // A worker that was killed.
        expect([502, 503, 200]).toContain(status)
        expect(lossy()).toBe(true)
        return answered
      }
      check(text)
      answered++
    }
    await sending
    return answered
  } catch (error) {
    const lost = /connection ended/.test((error as Error).message) && lossy()
    if (!lost) throw error
    return answered
  } finally {
    client.close()
  }
}

async function sendInPieces(client: RawConnection, all: Buffer, random: Random): Promise<void> {
  for (let at = 0; at < all.length; ) {
    const size = 1 + random(90_000)
    await client.send(all.subarray(at, at + size))
    at += size
  }
}

/** One connection with several streams at once. */
async function overHttp2(server: PlainServer, letter: string, random: Random): Promise<number> {
  const session = connect(server.url, { rejectUnauthorized: false })
  session.on('error', () => {})
  let answered = 0
  await Promise.all(
    Array.from({ length: 1 + random(4) }, async () => {
      const isFile = random(3) === 0
      const [field, size] = [1 + random(7000), isFile ? 0 : sizeOf(random)]
      const stream = session.request({
        ':method': isFile ? 'GET' : 'POST',
        ':path': isFile ? `/file?name=${letter}` : `/echo?${letter.repeat(20)}`,
        'x-mark': letter.repeat(field),
      })
      const leaves = random(4) === 0
      if (leaves) stream.once(random(2) === 0 ? 'ready' : 'response', () => stream.close(8))
      if (!isFile) stream.end(Buffer.alloc(size, letter))
      const { headers, body, ended, code } = await http2Answer(stream)
      if (leaves) return
      expect([headers[':status'], ended, code]).toEqual([200, true, 0])
      if (isFile) expectMarked(body.toString('latin1'), letter, FILE)
      else checkEcho(letter, field, size)(body.toString('latin1'))
      answered++
    }),
  )
  session.close()
  return answered
}

describe.skipIf(!hasPython())('bytes of clients are never mixed up', () => {
  const forms: readonly [name: string, secure: boolean, http2: boolean][] = [
    ['on a plain connection, with workers that are killed', false, false],
    ['over TLS', true, false],
    ['over HTTP/2', true, true],
  ]
  test.each(forms)(
    '%s',
    async (_, secure, http2) => {
      const server = await startPlain({ args: ['--workers', '2', '--threads', '2'], secure })
      for (const letter of letters)
        writeFileSync(join(server.data, letter), Buffer.alloc(FILE, letter))
      const acceptor = childrenOf(server.pid)[0]!
      const before = openDescriptors(acceptor)
      const kills = secure ? [] : [0.3, 0.6]
      let answered = 0
      let begun = 0
      await Promise.all(
        letters.map(async (letter, index) => {
          const random = randomFrom(index + (http2 ? 1000 : 0))
          for (let round = 0; round < ROUNDS; round++) {
            if (++begun === Math.round(kills[0]! * CLIENTS * ROUNDS)) {
              kills.shift()
              for (const pid of server.workers()) process.kill(pid, 'SIGKILL')
            }
            const more = http2
              ? await overHttp2(server, letter, random)
              : await overHttp1(server, letter, random, () => !secure)
            answered += more
          }
        }),
      )
      expect(answered).toBeGreaterThan(CLIENTS * ROUNDS * 0.5)
      const most = before + (secure ? 0 : 4) // those of new workers
      await waitFor('all descriptors to be closed', () => openDescriptors(acceptor) <= most)
      for (const pid of server.workers())
        await waitFor('the files to be closed', () => openDescriptors(pid) <= 24)
      await server.stop()
    },
    300_000,
  )
})
