import { describe, expect, test } from 'vitest'
import { get, type PlainServer, startPlain } from '../support/plain-application.ts'
import { childrenOf, commandLineOf, residentMemory } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'

// 200 MB either way, with the memory of the acceptor and of the worker watched all the while.

const size = 200 * 1000 * 1000
/**
 * What a process may grow by: buffers, windows and a garbage collector that takes its time; far
 * from 200 MB.
 */
const allowance = 64 * 1024 * 1024

// npm test has each way of buffering and each framing once, the release tier every combination
// (vitest.config.ts).
const thorough = process.env.MONOCEROS_TEST_TIER === 'release'
const uploads = [
  ['length', 'buffered', true],
  ['chunked', 'buffered', thorough],
  ['length', 'streamed', thorough],
  ['chunked', 'streamed', true],
] as const
const downloads = thorough ? (['length', 'chunked'] as const) : (['chunked'] as const)

/** Watches the acceptor and the worker while `work` is done; returns each one's growth in bytes. */
async function memoryGrowth(
  server: PlainServer,
  work: () => Promise<void>,
): Promise<{ acceptor: number; worker: number }> {
  const [acceptor = 0] = childrenOf(server.pid).filter((pid) =>
    commandLineOf(pid).includes('acceptor'),
  )
  const [worker = 0] = server.workers()
  const before = { acceptor: residentMemory(acceptor), worker: residentMemory(worker) }
  expect(before.acceptor).toBeGreaterThan(0)
  expect(before.worker).toBeGreaterThan(0)
  const peak = { ...before }
  const timer = setInterval(() => {
    peak.acceptor = Math.max(peak.acceptor, residentMemory(acceptor))
    peak.worker = Math.max(peak.worker, residentMemory(worker))
  }, 20)
  try {
    await work()
  } finally {
    clearInterval(timer)
  }
  return { acceptor: peak.acceptor - before.acceptor, worker: peak.worker - before.worker }
}

async function upload(connection: RawConnection, how: 'length' | 'chunked'): Promise<void> {
  const block = Buffer.alloc(100_000, 'u')
  const framing = how === 'length' ? `Content-Length: ${size}` : 'Transfer-Encoding: chunked'
  await connection.send(`POST /length HTTP/1.1\r\nHost: test\r\n${framing}\r\n\r\n`)
  const chunk =
    how === 'length'
      ? block
      : Buffer.concat([Buffer.from(`${block.length.toString(16)}\r\n`), block, Buffer.from('\r\n')])
  for (let sent = 0; sent < size; sent += block.length) await connection.send(chunk)
  if (how === 'chunked') await connection.send('0\r\n\r\n')
  connection.timeout = 60_000
  expect((await connection.readResponse()).text).toBe(String(size))
}

async function download(connection: RawConnection, how: 'length' | 'chunked'): Promise<void> {
  await connection.send(
    get(`/big?size=${size}${how === 'length' ? '&sized' : ''}`, 'Connection: close'),
  )
  const response = await connection.readResponse('GET', { bodyless: true })
  expect(response.framing).toBe(how)
  let received = 0
  for (;;) {
    const part = await connection.readSome()
    if (part.length === 0) break
    received += part.length
  }
  if (how === 'length') expect(received).toBe(size)
  else expect(received).toBeGreaterThan(size)
}

function megabytes(growth: { acceptor: number; worker: number }): string {
  const figure = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
  return `acceptor +${figure(growth.acceptor)}, worker +${figure(growth.worker)}`
}

describe.skipIf(!hasPython())('memory stays flat', () => {
  test.each(uploads.filter(([, , runs]) => runs))(
    'during an upload of 200 MB (%s, %s)',
    async (how, mode) => {
      const server = await startPlain({
        args: mode === 'streamed' ? ['--no-request-buffering'] : [],
      })
      const connection = await RawConnection.open(server)
      await connection.request(get('/'))
      const growth = await memoryGrowth(server, () => upload(connection, how))
      console.log(`upload of 200 MB, ${how}, ${mode}: ${megabytes(growth)}`)
      expect(growth.acceptor).toBeLessThan(allowance)
      expect(growth.worker).toBeLessThan(allowance)
    },
  )

  test.each(downloads)('during a download of 200 MB (%s)', async (how) => {
    const server = await startPlain()
    const connection = await RawConnection.open(server)
    await connection.request(get('/'))
    const growth = await memoryGrowth(server, () => download(connection, how))
    console.log(`download of 200 MB, ${how}: ${megabytes(growth)}`)
    expect(growth.acceptor).toBeLessThan(allowance)
    expect(growth.worker).toBeLessThan(allowance)
  })
})
