import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startConfigHost } from './config-host.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

const HOOK = { server: { pid: 1, num_workers: 1, reexec_pid: 0 } }
/** Python: writes this to the channel of the host. */
const WRITE = 'import os\nwrite = lambda data: os.write(3, data)\n'

async function start(text: string) {
  writeFileSync(join(folder, 'gunicorn.conf.py'), WRITE + text)
  const location = join(folder, 'gunicorn.conf.py')
  const names = ['workers']
  return await startConfigHost({
    interpreter: 'python3',
    location,
    names,
    cwd: folder,
    env: process.env,
  })
}

describe('what else is written to the channel of the host', () => {
  test.each([
    ['garbage', 'it sent "garbage"'],
    ['null', 'it sent "null"'],
    ['[]', 'it sent "[]"'],
    ['{"log": {"level": "x", "text": 1}}', 'it sent '],
    ['{"values": 1}', 'it sent '],
  ])('ends it, and nothing else: %s', async (line, problem) => {
    const host = await start(`def when_ready(server): write(b'${line}\\n')`)
    host.settle({ directory: folder, environ: {}, settings: {} })
    const called = host.call('when_ready', HOOK)
    await expect(called).rejects.toThrow(`something else was written to its descriptor 3`)
    await expect(called).rejects.toThrow(problem)
    await expect(host.call('when_ready', HOOK)).rejects.toThrow('was killed')
    await host.close()
  })

  test('ends it while nothing is asked of it', async () => {
    const host = await start(
      'import threading\n' +
        "def when_ready(server): threading.Timer(0.05, write, [b'{}\\n']).start()",
    )
    const entries: string[] = []
    host.logWith((level, text) => entries.push(`${level} ${text}`))
    host.settle({ directory: folder, environ: {}, settings: {} })
    await host.call('when_ready', HOOK)
    await vi.waitFor(() => expect(entries.join()).toContain('nobody had asked'), 25_000)
    expect(entries).toHaveLength(1)
    await host.close()
  })

  test('is an error of the file that does it while it is read', async () => {
    await expect(start("write(b'?\\n')")).rejects.toThrow('something else was written')
  })
})
