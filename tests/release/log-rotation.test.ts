import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { hasPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

const REQUESTS = 100_000
const CONNECTIONS = 20
/** How many requests are sent before the answers are waited for. */
const PIPELINED = 25

/** A connection, after its first request. */
async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  socket.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'data')
  return socket
}

/** Requests `/C/0`, `/C/1`, … on a connection. */
async function request(socket: Socket, connection: number, count: number): Promise<void> {
  let answered = 0
  let rest = ''
  let wake = () => {}
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    const found = (rest + text).split('HTTP/1.1 200')
    answered += found.length - 1
    rest = found.at(-1)!.slice(-20)
    wake()
  })
  const failed = new Promise<never>((_, reject) => socket.on('error', reject))
  for (let sent = 0; sent < count; ) {
    let text = ''
    for (let i = 0; i < PIPELINED; i++)
      text += `GET /${connection}/${sent++} HTTP/1.1\r\nHost: a\r\nUser-Agent: "\u00e9\\\r\n\r\n`
    socket.write(text, 'latin1')
    while (answered < sent) {
      await Promise.race([
        failed,
        new Promise<void>((resolve) => {
          wake = resolve
        }),
      ])
    }
  }
  socket.destroy()
}

describe.skipIf(!hasPython())('log rotation', () => {
  test('loses and tears no line of 100,000, however often the file is renamed', async () => {
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    const cwd = directory.path
    writeFileSync(
      join(cwd, 'small.py'),
      'def app(environ, start_response):\n' +
        '    start_response("200 OK", [("Content-Length", "1")])\n' +
        '    return [b"x"]\n',
    )
    const log = join(cwd, 'access.log')
    const server = await startServer({
      app: 'small:app',
      cwd,
      args: [
        ...['--access-logfile', log, '--access-logformat', 'json'],
        ...['--workers', '2', '--acceptors', '2', '--keep-alive', '60'],
      ],
    })
    // The kernel chooses the acceptor. The last connections are used, for both to have some.
    const sockets: Socket[] = []
    await waitFor('connections to both acceptors', async () => {
      sockets.push(await open(server.port))
      const lines = await waitFor('its line', () => {
        const found = readFileSync(log, 'utf8').split('\n').slice(0, -1)
        return found.length === sockets.length && found
      })
      const pids = new Set(lines.map((line) => JSON.parse(line).pid))
      return sockets.length >= CONNECTIONS && pids.size === 2
    })
    for (const socket of sockets.splice(0, sockets.length - CONNECTIONS)) socket.destroy()
    let rotations = 0
    const timer = setInterval(() => {
      // On a slow machine, the files may not have been opened again since the last time.
      if (!existsSync(log)) return
      renameSync(log, `${log}.${++rotations}`)
      server.signal('SIGUSR1')
    }, 1000)
    const each = REQUESTS / CONNECTIONS
    try {
      await Promise.all(sockets.map((socket, number) => request(socket, number, each)))
    } finally {
      clearInterval(timer)
    }
    await server.stop()

    const seen = new Map<string, number>()
    const pids = new Set<number>()
    let torn = 0
    const files = readdirSync(cwd).filter((name) => name.startsWith('access.log'))
    for (const name of files) {
      for (const line of readFileSync(join(cwd, name), 'utf8').split('\n').slice(0, -1)) {
        try {
          const { path, pid } = JSON.parse(line) as { path: string; pid: number }
          if (path === '/first') continue
          seen.set(path, (seen.get(path) ?? 0) + 1)
          pids.add(pid)
        } catch {
          torn++
        }
      }
    }
    expect(torn).toBe(0)
    expect(rotations).toBeGreaterThan(0)
    expect(pids.size).toBe(2)
    const missing = []
    for (let connection = 0; connection < CONNECTIONS; connection++)
      for (let i = 0; i < each; i++)
        if (seen.get(`/${connection}/${i}`) !== 1) missing.push(`/${connection}/${i}`)
    expect(missing).toEqual([])
    expect(seen.size).toBe(REQUESTS)
  }, 300_000)
})
