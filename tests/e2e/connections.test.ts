import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { get, type PlainServer, startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { processorTime } from '../support/resources.ts'
import { waitFor } from '../support/wait-for.ts'

// What many connections, or many bad requests, do to a server: idle ones make space, descriptors
// run out and come back, the log stays short.

/** Keep-alive connections that have each had an answer. */
async function idleConnections(server: PlainServer, count: number): Promise<RawConnection[]> {
  const connections: RawConnection[] = []
  while (connections.length < count) {
    const connection = await RawConnection.open(server)
    expect((await connection.request(get('/'))).status).toBe(200)
    connections.push(connection)
  }
  return connections
}

function acceptorOf(server: PlainServer): number {
  return Number(/Acceptor (\d+) /.exec(server.log())![1])
}

/** Lines of the log that match, without their times. */
function linesOf(server: PlainServer, pattern: RegExp): string[] {
  return server
    .log()
    .split('\n')
    .filter((line) => pattern.test(line))
}

const CLOSED_IN_HANDSHAKE = /^Client network socket disconnected before secure TLS|ECONNRESET/

describe.skipIf(!hasPython())('many connections', () => {
  test('300 idle ones and a limit of 50: every newcomer is answered, those that were idle for longest have left', async () => {
    const server = await startPlain({ args: ['--max-connections', '50', '--keep-alive', '600'] })
    const connections = await idleConnections(server, 300)
    const newcomer = await RawConnection.open(server)
    expect((await newcomer.request(get('/'))).text).toBe('hello\n')
    for (const connection of connections.slice(0, 251))
      expect(await connection.expectEnd()).toBe('closed')
    for (const connection of connections.slice(251)) {
      expect((await connection.request(get('/'))).text).toBe('hello\n')
    }
    expect(server.log()).not.toMatch(/answered 503|with 503/)
  })

  test('300 that never send anything keep nobody out for longer than half a second', async () => {
    const server = await startPlain({ args: ['--max-connections', '50'] })
    // Over TLS, one that is turned away is closed in its handshake, and not answered 503.
    const closed = process.env.MONOCEROS_TEST_TLS === '1' ? CLOSED_IN_HANDSHAKE : /never/
    const unlessClosed = (error: Error) => {
      if (!closed.test(error.message)) throw error
      return null
    }
    for (let i = 0; i < 300; i++) await RawConnection.open(server).catch(unlessClosed)
    await waitFor('an answer', async () => {
      const answer = await exchangeOnce(server, get('/')).catch(unlessClosed)
      return answer?.status === 200
    })
  })

  test('a request that is under way keeps its connection while others come and go', async () => {
    const server = await startPlain({ args: ['--max-connections', '10', '--threads', '2'] })
    const busy = await RawConnection.open(server)
    await busy.send(get('/wait?key=a'))
    await server.begun('a')
    await idleConnections(server, 40)
    server.go('a')
    expect((await busy.readResponse()).status).toBe(200)
  })
})

test.skipIf(!hasPython())(
  'a connection that the system does not hand over is told of, and the server serves',
  async () => {
    const folder = temporaryDirectory()
    onTestFinished(folder.remove)
    // The acceptor's socket reports a failure of accept(2) once, as libuv would.
    const fault = join(folder.path, 'fault.mjs')
    writeFileSync(
      fault,
      `import { Server } from 'node:net'
import { constants } from 'node:os'
const { listen } = Server.prototype
Server.prototype.listen = function (...args) {
  this.once('listening', () =>
    setImmediate(() => this._handle.onconnection(-constants.errno.ENOBUFS)))
  return listen.apply(this, args)
}
`,
    )
    const server = await startPlain({ env: { NODE_OPTIONS: `--import=${fault}` } })
    await server.waitForLog(
      /\[ERROR\] Accepting at 127\.0\.0\.1:\d+ failed: accept ENOBUFS.* \[MONO4031\]\n/,
    )
    expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
  },
)

describe.skipIf(!hasPython() || process.platform !== 'linux')('file descriptors', () => {
  test('fewer than max_connections needs: it is lowered with one warning that says how to raise it, and the server serves', async () => {
    const server = await startPlain({
      openFiles: 256,
      args: ['--acceptors', '2', '--workers', '2'],
    })
    const warnings = linesOf(server, /\[WARNING\]/)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(
      /max_connections is lowered from 20000 to 1\d\d: an acceptor may have 256 files open.* \[MONO4037\]/,
    )
    expect(warnings[0]).toMatch(/ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker/)
    // More than both acceptors can have together.
    const connections = await idleConnections(server, 500)
    expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
    expect((await connections.at(-1)!.request(get('/'))).text).toBe('hello\n')
    expect(server.log()).not.toMatch(/\[ERROR\]|\[CRITICAL\]|answered 503|with 503/)
  })

  test('enough for what is asked for: nothing is said', async () => {
    const server = await startPlain({ openFiles: 256, args: ['--max-connections', '100'] })
    expect(server.log()).not.toContain('[WARNING]')
    await idleConnections(server, 150)
    expect(server.log()).not.toMatch(/\[WARNING\]|\[ERROR\]/)
  })

  // With 48 or fewer, Node cannot even load the program.
  test.each([64, 48, 32, 24])(
    'too few to start with (%i) are one line, and not a stack',
    async (openFiles) => {
      const started = startPlain({ openFiles })
      const line =
        `monoceros: a process may have ${openFiles} files open, and the server needs at least 96` +
        '. Raise that limit where '
      await expect(started).rejects.toThrow(`(status 1) before it was up. Its log:\n${line}`)
      await expect(started).rejects.toThrow(/Its log:\n.*\[MONO4033\]\n$/)
    },
  )

  test('that run out are told of once a second, no processor time is burnt, and the server answers afterwards', async () => {
    const server = await startPlain({ args: ['--keep-alive', '600'] })
    await idleConnections(server, 100)
    const acceptor = acceptorOf(server)
    // All that are open stay, and none can be had: not even libuv's spare one.
    const before = execFileSync('prlimit', [
      '--pid',
      String(acceptor),
      '--nofile',
      '--noheadings',
      '--output=HARD',
    ])
    execFileSync('prlimit', ['--pid', String(acceptor), '--nofile=10:'])
    const raised = () =>
      execFileSync('prlimit', ['--pid', String(acceptor), `--nofile=${before.toString().trim()}:`])
    await server.waitForLog(/File descriptors are used up.* \[MONO4033\]/)

    const from = performance.now()
    const usedBefore = processorTime(acceptor)
    const answers: Promise<{ status: number }>[] = []
    for (let i = 0; i < 60; i++) {
      answers.push(exchangeOnce(server, get('/')))
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const seconds = (performance.now() - from) / 1000
    const used = (processorTime(acceptor) - usedBefore) / 1000
    const lines = () => linesOf(server, /File descriptors are used up/).length
    const told = lines()
    await waitFor('a second line', () => lines() >= 2)
    expect(told).toBeLessThanOrEqual(seconds + 3)
    expect(used).toBeLessThan(seconds / 4)

    raised()
    // Those that came meanwhile have waited.
    for (const answer of answers) expect((await answer).status).toBe(200)
    expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
    expect(acceptorOf(server)).toBe(acceptor)
  })

  test('that never come back have the process replaced: the clients have waited, and are answered', async () => {
    const server = await startPlain()
    const acceptor = acceptorOf(server)
    execFileSync('prlimit', ['--pid', String(acceptor), '--nofile=10:'])
    const waiting = await RawConnection.open(server)
    await waiting.send(get('/'))
    waiting.timeout = 60_000
    expect((await waiting.readResponse()).text).toBe('hello\n')
    await server.waitForLog(
      /\[CRITICAL\] No connection .* file descriptors are used up; replacing this process/,
    )
    await waitFor('the old one to leave', () => !existsSync(`/proc/${acceptor}`))
  })
})

describe.skipIf(!hasPython())('a flood', () => {
  test('of 2,000 bad requests is some lines in the log, and a count of the others', async () => {
    const server = await startPlain()
    const count = 2000
    const from = performance.now()
    await badRequests(server, count)
    const seconds = (performance.now() - from) / 1000
    const told = () => linesOf(server, /\[WARNING\] Refused/).length
    await waitFor('the count', () => told() + leftOut(server) === count)
    expect(told()).toBeLessThanOrEqual(10 + seconds + 6)
    expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
  })

  test('that ends with the server is counted all the same', async () => {
    const server = await startPlain()
    await badRequests(server, 200)
    await server.stop()
    const told = linesOf(server, /\[WARNING\] Refused/).length
    expect(told).toBeLessThan(200)
    expect(told + leftOut(server)).toBe(200)
  })
})

/** How many refused requests the log has as a number only. */
function leftOut(server: PlainServer): number {
  const pattern = /\[WARNING\] \d+ more log entries about requests refused with 400 were suppressed/
  return linesOf(server, pattern)
    .map((line) => Number(/(\d+) more/.exec(line)![1]))
    .reduce((sum, it) => sum + it, 0)
}

/** Sends that many of them, on 50 connections at a time. */
async function badRequests(server: PlainServer, count: number): Promise<void> {
  let begun = 0
  const sender = async () => {
    while (begun++ < count) await badRequest(server)
  }
  await Promise.all(Array.from({ length: 50 }, sender))
}

/** Sends a request with two Host fields and reads its answer, which is 400. */
async function badRequest(server: PlainServer): Promise<void> {
  const request = 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'
  const connection = await RawConnection.open(server)
  expect((await connection.request(request)).status).toBe(400)
  expect(await connection.expectEnd()).toBe('closed')
  connection.close()
}
