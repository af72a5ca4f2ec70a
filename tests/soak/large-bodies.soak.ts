import { closeSync, ftruncateSync, openSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type EnduranceServer, startEndurance } from '../support/endurance-application.ts'
import { download, type Transfer, upload } from '../support/large-transfer.ts'
import { forgetPeak, mebibytes, resourcesOf } from '../support/resources.ts'
import { vanishingClients } from './vanishing-clients.ts'

// Two gigabytes either way, and a little more: their number does not fit into 31 bits. The version
// with 200 MB is tests/e2e/large-bodies.test.ts.

const mebibyte = 1024 * 1024
const size = 2049 * mebibyte
const warmUp = 64 * mebibyte
/** What a process may grow by: buffers, windows, and garbage that is not yet collected. */
const allowance = 64 * mebibyte

/** Lets it happen once for warmth, and again with the memory watched. */
async function watched(
  what: string,
  server: EnduranceServer,
  transfer: (size: number) => Promise<Transfer>,
): Promise<void> {
  await transfer(warmUp)
  const pids = [server.acceptor(), ...server.workers()]
  const before = pids.map((pid) => {
    forgetPeak(pid)
    return resourcesOf(pid)
  })
  const { bytes, seconds } = await transfer(size)
  const growth = pids.map((pid, n) => resourcesOf(pid).peak - (before[n]?.resident ?? 0))
  expect(bytes).toBe(size)
  const [acceptor = Number.NaN, worker = Number.NaN] = growth
  console.log(
    `${what}: ${(bytes / seconds / 1e6).toFixed(0)} MB/s; at its peak the acceptor had ` +
      `${mebibytes(acceptor)} more than ` +
      `${mebibytes(before[0]?.resident ?? 0)}, the worker ${mebibytes(worker)} more than ` +
      `${mebibytes(before[1]?.resident ?? 0)}`,
  )
  expect(acceptor).toBeLessThan(allowance)
  expect(worker).toBeLessThan(allowance)
}

describe('two gigabytes', () => {
  const { bavail, bsize } = statfsSync(tmpdir())
  const space = bavail * bsize

  test.skipIf(space < 2 * size)('uploaded, by way of a temporary file', async () => {
    const server = await startEndurance()
    for (const framing of ['length', 'chunked'] as const) {
      await watched(`upload, buffered, ${framing}`, server, (bytes) =>
        upload(server, bytes, framing),
      )
      expect(server.temporaryFiles().filter((name) => name.includes('body'))).toEqual([])
    }
  })

  test('uploaded, streamed to the application', async () => {
    const server = await startEndurance(['--no-request-buffering'])
    for (const framing of ['length', 'chunked'] as const) {
      await watched(`upload, --no-request-buffering, ${framing}`, server, (bytes) =>
        upload(server, bytes, framing),
      )
    }
  })

  test('downloaded, from a generator and from a file', async () => {
    const server = await startEndurance()
    for (const framing of ['length', 'chunked'] as const) {
      await watched(`download from a generator, ${framing}`, server, async (bytes) => {
        const sized = framing === 'length' ? '&sized' : ''
        const transfer = await download(server, `/download?size=${bytes}${sized}`, bytes)
        expect(transfer.framing).toBe(framing)
        return transfer
      })
    }
    await watched('download from a file, wsgi.file_wrapper', server, (bytes) => {
      // Sparse: it takes no space.
      const file = openSync(join(server.data, `zeros-${bytes}`), 'w')
      ftruncateSync(file, bytes)
      closeSync(file)
      return download(server, `/file?name=zeros-${bytes}`, bytes, { zeros: true })
    })
  })
})

describe('clients that vanish in the middle of large bodies', () => {
  test('leave nothing behind', async () => {
    await vanishingClients(10)
  })

  test('leave nothing behind when requests are streamed', async () => {
    await vanishingClients(10, ['--no-request-buffering'])
  })
})
