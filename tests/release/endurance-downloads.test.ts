import { describe, expect, test } from 'vitest'
import { startEndurance } from '../support/endurance-application.ts'
import { download } from '../support/large-transfer.ts'
import { get } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { startStream } from '../support/steady-stream.ts'
import { waitFor } from '../support/wait-for.ts'

describe.skipIf(!hasPython())('endurance', () => {
  // Slow readers are put aside by the worker; these are never slow enough for that.
  test('many downloads at full speed leave turns for others, with one worker and one thread', async () => {
    const server = await startEndurance()
    const size = 1_000_000_000_000
    const path = `/download?size=${size}&sized`
    const downloads = Promise.allSettled(
      Array.from({ length: 20 }, () => download(server, path, size)),
    )
    const stream = await startStream(server, { clients: 2, request: () => get('/'), pause: 5 })
    // Without turns the first answer takes half a minute; how long it takes with them is the
    // machine's affair.
    await waitFor('answers between the downloads', () => stream.report.sent.length > 10, 25_000)
    const sent = [...stream.report.sent]
    const faults = [...stream.report.faults]
    server.signal('SIGQUIT')
    await Promise.all([downloads, stream.stop()])

    // A worker that takes turns gives each download a window's worth (256 KiB) before it comes to
    // the next request.
    expect(faults).toEqual([])
    expect(sent.filter(({ answer }) => answer.status !== 200)).toEqual([])
    expect(sent.length).toBeGreaterThan(10)
  })
})
