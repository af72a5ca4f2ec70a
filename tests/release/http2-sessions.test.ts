import { writeFileSync } from 'node:fs'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { http2Get } from '../support/http2-client.ts'
import { startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// Sessions of HTTP/2 outlive neither a stop nor a reload, and no request of theirs is lost.

function session(url: string): ClientHttp2Session {
  const made = connect(url)
  made.on('error', () => {})
  onTestFinished(() => made.destroy())
  return made
}

test.skipIf(!hasPython())(
  'a stop lets requests finish that were under way, and says when it takes no more',
  async () => {
    const own = await startPlain({ args: ['--bind', '127.0.0.1:0', '--h2c', '--threads', '2'] })
    const client = session(own.url)
    const last: number[] = []
    client.on('goaway', (_code, stream) => last.push(stream))
    const held = http2Get(client, '/wait?key=held')
    await own.begun('held')
    own.signal('SIGTERM')
    await waitFor('two GOAWAYs', () => last.length === 2)
    expect(last).toEqual([2 ** 31 - 1, 1])
    own.go('held')
    expect((await held).ended).toBe(true)
    expect(await own.exited).toEqual({ code: 0, signal: null })
  },
)

const APPLICATION = `
const body = [Buffer.from('hello')]
export const app = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain'], ['Content-Length', '5']])
  return body
}
`

test('processes are replaced under load, and no request of HTTP/2 is lost', async () => {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  writeFileSync(join(folder.path, 'app.mjs'), APPLICATION)
  const server = await startServer({ app: './app.mjs:app', cwd: folder.path, args: ['--h2c'] })
  let stopping = false
  let answered = 0
  let sessions = 0
  const failures: string[] = []
  const load = async () => {
    while (!stopping) {
      sessions++
      const client = session(server.url)
      let over = false
      client.on('goaway', () => (over = true))
      client.on('close', () => (over = true))
      const one = async () => {
        while (!over && !stopping) {
          // Node's client opens no stream on a session that has had a GOAWAY.
          if (client.closed || client.destroyed) return
          const { body, code, ended } = await http2Get(client, '/')
          if (ended && body.toString() === 'hello') answered++
          else if (code !== constants.NGHTTP2_REFUSED_STREAM) failures.push(`code ${code}`)
        }
      }
      await Promise.all(Array.from({ length: 8 }, one))
      client.destroy()
    }
  }
  const loads = Promise.all([load(), load()])
  for (let reload = 1; reload <= 2; reload++) {
    const goal = answered + 200
    await waitFor('answers', () => answered >= goal)
    const from = server.log().length
    const before = sessions
    server.signal('SIGHUP')
    await server.waitForLog(/Reloaded|reloaded/, { from })
    await waitFor('new sessions', () => sessions >= before + 2)
  }
  stopping = true
  await loads
  expect(failures).toEqual([])
})
