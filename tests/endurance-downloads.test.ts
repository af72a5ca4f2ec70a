import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { startEndurance } from './support/endurance-application.ts'
import { download } from './support/large-transfer.ts'
import { get } from './support/plain-application.ts'
import { hasPython } from './support/python.ts'
import { startStream } from './support/steady-stream.ts'

describe.skipIf(!hasPython())('endurance', () => {
  // Slow readers are put aside by the worker; these are never slow enough for that.
  test('many downloads at full speed leave turns for others, with one worker and one thread', async () => {
    const server = await startEndurance()
    const size = 1_000_000_000_000
    const path = `/download?size=${size}&sized`
    const downloads = Promise.allSettled(Array.from({ length: 20 }, () => download(server, path, size)))
    const stream = await startStream(server, { clients: 2, request: () => get('/'), pause: 5 })
    await sleep(1_500)
    const sent = [...stream.report.sent]
    const faults = [...stream.report.faults]
    server.signal('SIGQUIT')
    await Promise.all([downloads, stream.stop()])

    // A worker that takes turns gives each download a window's worth (256 KiB) before it comes to the next request.
    const slowest = Math.max(...sent.map(({ answer }) => answer.milliseconds))
    expect(faults).toEqual([])
    expect(sent.filter(({ answer }) => answer.status !== 200)).toEqual([])
    expect(sent.length).toBeGreaterThan(10)
    expect(slowest).toBeLessThan(1_000)
  })
})
