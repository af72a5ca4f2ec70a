import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { hasPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'

// tests/release/gevent.test.ts has the rest.

const folder = temporaryDirectory()
afterAll(folder.remove)

test.skipIf(!hasPython())('with gevent, requests that wait share one worker', async () => {
  writeFileSync(
    join(folder.path, 'waiting.py'),
    `import threading, time

together = threading.Barrier(50)

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    together.wait()
    return [b"all of them"]
`,
  )
  const server = await startServer({
    app: 'waiting:app',
    args: ['-k', 'gevent', '--workers', '1', '--timeout', '60'],
    cwd: folder.path,
  })
  expect(server.log()).toMatch(/Serving waiting:app with 1 worker, up to 1000 greenlets each/)
  const texts = await Promise.all(
    Array.from({ length: 50 }, async () => (await fetch(server.url)).text()),
  )
  expect(new Set(texts)).toEqual(new Set(['all of them']))
})
