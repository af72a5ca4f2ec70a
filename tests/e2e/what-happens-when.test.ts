import { readdirSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { startLoad } from '../support/load.ts'
import { get, type PlainServer, post, startPlain } from '../support/plain-application.ts'
import {
  childrenOf,
  commandLineOf,
  descendantsOf,
  isAlive,
  waitUntilGone,
} from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { waitFor, within } from '../support/wait-for.ts'

// The rows of "What happens when" in docs/design.md, each made to happen on the real command.

/**
 * A request that waits in the application until the test lets it go; resolves when it has begun.
 */
async function beginWaiting(server: PlainServer, key: string, route = `/wait?key=${key}`) {
  const connection = await RawConnection.open(server)
  await connection.send(get(route))
  const worker = await server.begun(key)
  return { connection, worker }
}

/**
 * Resolves when the acceptor has read what was sent before: it has answered connections of its own
 * accord that were made later. (One turn of its event loop might take them in any order, two
 * cannot.)
 */
async function acceptorHasRead(server: PlainServer): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    expect((await exchangeOnce(server, 'nonsense\r\n\r\n')).status).toBe(400)
  }
}

/** The acceptor processes: the arbiter's children that are no workers. */
function acceptors(server: PlainServer): number[] {
  return childrenOf(server.pid).filter((pid) => commandLineOf(pid).includes('acceptor'))
}

describe.skipIf(!hasPython())('what happens when', () => {
  describe('the application raises', () => {
    let server: PlainServer
    beforeAll(async () => {
      server = await startPlain()
    })

    test('before start_response: 500, and the traceback with the request line in the error log', async () => {
      const connection = await RawConnection.open(server)
      const response = await connection.request(get('/raise-before?a=1'))
      expect(response.status).toBe(500)
      expect(response.text).not.toMatch(/Traceback|ValueError|raised/)
      const log = await server.waitForLog(/ValueError: raised before start_response/)
      expect(log.input).toMatch(/Traceback \(most recent call last\)/)
      expect(log.input).toMatch(/GET \/raise-before\?a=1/)
      expect(log.input).toMatch(/plain\.py", line \d+, in raise_before/)
      // The exchange was well framed, so the connection may go on, or close having said so.
      if (response.header('Connection') !== 'close') {
        expect((await connection.request(get('/'))).text).toBe('hello\n')
      }
    })

    test('before the first byte of its body: 500 without its headers, and close() runs once', async () => {
      const response = await exchangeOnce(server, get('/raise-first?key=first'))
      expect(response.status).toBe(500)
      expect(response.header('X-Half')).toBeUndefined()
      await server.waitForLog(/ValueError: raised before the first byte/)
      await server.closed('first')
      expect(server.timesClosed('first')).toBe(1)
    })

    test('after the head, chunked: the connection closes without a last chunk', async () => {
      const connection = await RawConnection.open(server)
      await connection.send(get('/raise-after?key=chunked'))
      const response = await connection.readResponse('GET', { bodyless: true })
      expect(response.framing).toBe('chunked')
      expect(String(await connection.readSome(9))).toBe('4\r\npart\r\n')
      server.go('chunked')
      expect((await connection.readToEnd()).rest.toString()).toBe('')
      await server.waitForLog(/ValueError: raised after the head/)
      expect(server.log()).toMatch(/GET \/raise-after\?key=chunked/)
      await server.closed('chunked')
      expect(server.timesClosed('chunked')).toBe(1)
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
    })

    test('after the head, under a Content-Length: the connection closes short of it', async () => {
      const from = server.log().length
      const connection = await RawConnection.open(server)
      await connection.send(get('/raise-after?key=length&length=100'))
      server.go('length')
      const response = await connection.readResponse()
      expect(response).toMatchObject({
        status: 200,
        framing: 'length',
        text: 'part',
        complete: false,
      })
      await server.waitForLog(/ValueError: raised after the head/, { from })
    })
  })

  describe('a worker dies', () => {
    test('while it runs a request: 502 at once, others are served, it is replaced', async () => {
      const server = await startPlain({ args: ['--workers', '2'] })
      const { connection, worker } = await beginWaiting(server, 'a')
      const before = server.workers()
      expect(before).toHaveLength(2)
      expect(before).toContain(worker)

      const from = server.log().length
      process.kill(worker, 'SIGKILL')
      // Half of the usual --timeout, after which it would be a 504.
      expect((await connection.readResponse()).status).toBe(502)
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
      await waitFor(
        'a new worker',
        () => server.workers().length === 2 && !server.workers().includes(worker),
      )
      await server.waitForLog(/Answering 502 to .* \[MONO4012\]/)
      await server.waitForLog(new RegExp(`${worker}`), { from })
      expect(server.timesBegun('a')).toBe(1)
    })

    test('what it had queued but not begun is run by the next one, exactly once', async () => {
      const server = await startPlain({ args: ['--workers', '1'] })
      const { connection, worker } = await beginWaiting(server, 'a')
      const queued = await Promise.all(
        ['b', 'c', 'd'].map(async (key) => {
          server.go(key)
          const other = await RawConnection.open(server)
          await other.send(get(`/wait?key=${key}`))
          return { key, other }
        }),
      )
      await acceptorHasRead(server)
      process.kill(worker, 'SIGKILL')
      expect((await connection.readResponse()).status).toBe(502)
      for (const { key, other } of queued) {
        const response = await other.readResponse()
        expect(response.status).toBe(200)
        expect(response.text).not.toBe(String(worker))
        expect(server.timesBegun(key)).toBe(1)
      }
    })

    test('while idle: nobody notices', async () => {
      const server = await startPlain({ args: ['--workers', '1'] })
      const connection = await RawConnection.open(server)
      const worker = Number((await connection.request(get('/pid'))).text)
      process.kill(worker, 'SIGKILL')
      await waitUntilGone(worker)
      const response = await connection.request(get('/pid'))
      expect(response.status).toBe(200)
      expect(Number(response.text)).not.toBe(worker)
    })

    test('in the middle of a response: the connection closes short', async () => {
      const server = await startPlain({ args: ['--workers', '1'] })
      const connection = await RawConnection.open(server)
      await connection.send(get('/raise-after?key=k'))
      await connection.readResponse('GET', { bodyless: true })
      expect(String(await connection.readSome(9))).toBe('4\r\npart\r\n')
      process.kill(server.workers()[0]!, 'SIGKILL')
      expect((await connection.readToEnd()).rest.toString()).toBe('')
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
    })
  })

  describe('a worker exceeds the timeout', () => {
    test("504; every thread's Python stack is in the log; the worker is replaced", async () => {
      // Long enough for a busy machine to begin the second before the first has run out of time.
      const server = await startPlain({ args: ['--timeout', '4', '--threads', '2'] })
      const first = await beginWaiting(server, 'a', '/stuck?key=a&where=first')
      const second = await beginWaiting(server, 'b', '/stuck?key=b&where=another')
      expect(second.worker).toBe(first.worker)

      expect((await first.connection.readResponse()).status).toBe(504)
      // The other was within its time, or just over it: it lost its worker either way.
      expect([502, 504]).toContain((await second.connection.readResponse()).status)
      await server.waitForLog(/Answering 504 to .* \[MONO4014\]/)
      await server.waitForLog(/stuck_in_the_first_place/)
      await server.waitForLog(/stuck_in_another_place/)
      await waitUntilGone(first.worker)
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
      await server.waitForLog(/GET \/stuck\?key=a/)
    })

    test('a worker that holds the GIL is ended all the same', async () => {
      const server = await startPlain({ args: ['--timeout', '1'] })
      const { connection, worker } = await beginWaiting(server, 'a', '/deaf?key=a')
      expect((await connection.readResponse()).status).toBe(504)
      await waitUntilGone(worker)
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
    })

    test('a stopped worker, which cannot answer any signal but KILL, is ended all the same', async () => {
      // Time enough to stop it before.
      const server = await startPlain({ args: ['--timeout', '4'] })
      const { connection, worker } = await beginWaiting(server, 'a')
      process.kill(worker, 'SIGSTOP')
      expect((await connection.readResponse()).status).toBe(504)
      await waitUntilGone(worker)
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
    })

    test("waiting in the queue is not the application's time: no 504, no worker is killed", async () => {
      // So long that a busy machine does not take the rest of the time of one that naps.
      const server = await startPlain({ args: ['--timeout', '8'] })
      const [worker] = server.workers()
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => exchangeOnce(server, get('/nap?ms=2000'))),
      )
      for (const answer of answers) {
        // Who has waited for as long as an answer may take is sent away instead of being begun.
        if (answer.status === 503) expect(answer.header('Retry-After')).toMatch(/^\d+$/)
        else expect(answer).toMatchObject({ status: 200, text: String(worker) })
      }
      expect(answers.filter((answer) => answer.status === 200).length).toBeGreaterThanOrEqual(2)
      expect(server.workers()).toEqual([worker])
    })
  })

  describe('the client goes away', () => {
    let server: PlainServer
    beforeAll(async () => {
      server = await startPlain()
    })

    test('during a response: close() still runs, once, and the worker is free again', async () => {
      const connection = await RawConnection.open(server)
      await connection.send(get('/endless?key=during'))
      await connection.readResponse('GET', { bodyless: true })
      await connection.readSome()
      connection.reset()
      await server.closed('during')
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
      expect(server.timesClosed('during')).toBe(1)
    })

    test('while it does not read: close() still runs', async () => {
      const connection = await RawConnection.open(server)
      await connection.send(get('/endless?key=unread'))
      await connection.readResponse('GET', { bodyless: true })
      await server.begun('unread')
      // The response is stuck in the window by now, or soon.
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
      connection.reset()
      await server.closed('unread')
      expect(server.timesClosed('unread')).toBe(1)
    })

    test('before the application has answered: it is not disturbed, and close() runs once', async () => {
      const { connection } = await beginWaiting(server, 'early')
      connection.reset()
      server.go('early')
      await server.closed('early')
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
      expect(server.timesClosed('early')).toBe(1)
    })

    test('before its request has begun: it is never begun', async () => {
      const { connection } = await beginWaiting(server, 'ahead')
      const other = await RawConnection.open(server)
      await other.send(get('/wait?key=queued'))
      const last = await RawConnection.open(server)
      await last.send(get('/'))
      await acceptorHasRead(server)
      other.reset()
      await acceptorHasRead(server)
      server.go('queued')
      server.go('ahead')
      expect((await connection.readResponse()).status).toBe(200)
      expect((await last.readResponse()).status).toBe(200)
      expect(server.timesBegun('queued')).toBe(0)
    })

    test('in the middle of its request: the application is not called', async () => {
      const connection = await RawConnection.open(server)
      await connection.send(
        'POST /wait?key=half HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf',
      )
      connection.reset()
      expect((await exchangeOnce(server, get('/'))).status).toBe(200)
      expect(server.timesBegun('half')).toBe(0)
    })
  })

  test('the framing is ambiguous: 400, the connection closes, one line in the log says why', async () => {
    const server = await startPlain()
    const from = server.log().length
    const connection = await RawConnection.open(server)
    await connection.send(
      'POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: ' +
        'chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n',
    )
    const response = await connection.readResponse()
    expect(response.status).toBe(400)
    expect(response.header('Connection')).toBe('close')
    expect(await connection.expectEnd()).toBe('closed')
    await server.waitForLog(
      /Content-Length and Transfer-Encoding|Transfer-Encoding and Content-Length/i,
      {
        from,
      },
    )
    expect(server.log().slice(from).trim().split('\n')).toHaveLength(1)
  })

  test('the queue is full: 503 with Retry-After, and what was queued is answered', async () => {
    const server = await startPlain({ args: ['--backlog-limit', '3'] })
    const { connection } = await beginWaiting(server, 'a')
    const others = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const other = await RawConnection.open(server)
        await other.send(get('/'))
        return other
      }),
    )
    let refused = 0
    const answers = Promise.all(
      others.map(async (other) => {
        const response = await other.readResponse()
        if (response.status === 503) refused++
        return response
      }),
    )
    // The refused ones are answered while the worker is busy; only then may the rest run.
    await waitFor('most to be refused', () => refused >= 60 - 3 - 32)
    await server.waitForLog(/Answering 503 to .* \[MONO4013\]/)
    server.go('a')
    expect((await connection.readResponse()).status).toBe(200)
    const statuses = (await answers).map((response) => {
      if (response.status === 503) expect(response.header('Retry-After')).toMatch(/^\d+$/)
      else expect(response.text).toBe('hello\n')
      return response.status
    })
    expect(new Set(statuses)).toEqual(new Set([200, 503]))
    // The queue holds 3; beyond it the worker itself may have been handed some.
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(3 + 32)
    expect((await exchangeOnce(server, get('/'))).status).toBe(200)
  })

  describe('reload (HUP)', () => {
    test('under load the clients see nothing but the new application', async () => {
      const server = await startPlain({ args: ['--workers', '2'] })
      const old = server.workers()
      const load = startLoad(server, '/generation', 4)
      await waitFor('some answers', () => load.report.bodies.length > 50)
      for (const generation of [1, 2, 3]) {
        server.setGeneration(generation)
        server.signal('SIGHUP')
        await waitFor('the new generation', () => load.report.bodies.at(-1) === String(generation))
        const at = load.report.bodies.length
        await waitFor('more answers', () => load.report.bodies.length > at + 50)
      }
      const { faults, bodies } = await load.stop()
      expect(faults).toEqual([])
      expect(new Set(bodies)).toEqual(new Set(['0', '1', '2', '3']))
      for (const pid of old) await waitUntilGone(pid)
      await waitFor('two workers', () => server.workers().length === 2)
    })

    test('a request that is running finishes in the old worker', async () => {
      const server = await startPlain({ args: ['--workers', '1'] })
      const { connection, worker } = await beginWaiting(server, 'a')
      server.setGeneration(1)
      server.signal('SIGHUP')
      await waitFor('the new application', async () => {
        return (await exchangeOnce(server, get('/generation'))).text === '1'
      })
      expect(isAlive(worker)).toBe(true)
      server.go('a')
      expect((await connection.readResponse()).text).toBe(String(worker))
      await waitUntilGone(worker)
    })

    test('an application that cannot be loaded any more is reported, and the old one goes on', async () => {
      const server = await startPlain({ args: ['--workers', '2'] })
      const old = server.workers()
      server.setGeneration('nonsense')
      server.signal('SIGHUP')
      await server.waitForLog(/ValueError: invalid literal for int/)
      expect((await exchangeOnce(server, get('/generation'))).text).toBe('0')
      expect(server.workers()).toEqual(expect.arrayContaining(old))
      server.setGeneration(5)
      server.signal('SIGHUP')
      await waitFor('the mended application', async () => {
        return (await exchangeOnce(server, get('/generation'))).text === '5'
      })
    })
  })

  test('a worker is recycled (max_requests): under load the clients see nothing', async () => {
    const server = await startPlain({ args: ['--workers', '2', '--max-requests', '40'] })
    const load = startLoad(server, '/pid', 4)
    const gone = () => [...new Set(load.report.bodies)].filter((pid) => !isAlive(Number(pid)))
    await waitFor('three workers to have left', () => gone().length >= 3, 20_000)
    const retired = gone()
    const { faults, bodies } = await load.stop()
    expect(faults).toEqual([])
    // None left early. (It goes on while its successor starts, so more than 40 is in order.)
    for (const pid of retired) {
      expect(bodies.filter((body) => body === pid).length).toBeGreaterThanOrEqual(40)
    }
    await waitFor('two workers', () => server.workers().length === 2)
  })

  describe('TERM', () => {
    test('under load: what is in flight finishes, idle connections close, exit 0', async () => {
      const server = await startPlain({ args: ['--threads', '4'] })
      const idle = await RawConnection.open(server)
      expect((await idle.request(get('/'))).status).toBe(200)
      const running = await Promise.all(['a', 'b', 'c'].map((key) => beginWaiting(server, key)))
      const tree = [server.pid, ...descendantsOf(server.pid)]

      server.signal('SIGTERM')
      expect(await idle.expectEnd()).toBe('closed')
      await expect(exchangeOnce(server, get('/'))).rejects.toThrow()
      for (const key of ['a', 'b', 'c']) server.go(key)
      for (const { connection, worker } of running) {
        const response = await connection.readResponse()
        expect(response.status).toBe(200)
        expect(response.text).toBe(String(worker))
        expect(response.header('Connection')).toBe('close')
        expect(await connection.expectEnd()).toBe('closed')
      }
      expect(await server.exited).toEqual({ code: 0, signal: null })
      for (const pid of tree) await waitUntilGone(pid)
      for (const key of ['a', 'b', 'c']) expect(server.timesClosed(key)).toBe(1)
    })

    test('no answer is lost to clients that send one request after another', async () => {
      const server = await startPlain({ args: ['--workers', '2'] })
      const load = startLoad(server, '/nap?ms=2', 8)
      await waitFor('some answers', () => load.report.bodies.length > 50)
      server.signal('SIGTERM')
      expect(await server.exited).toEqual({ code: 0, signal: null })
      const { faults } = await load.stop()
      // Each client was told (Connection: close), or its connection closed while it had nothing in
      // flight that was begun. The kernel answers a request that arrives after that with a reset.
      for (const fault of faults) {
        expect(fault).toMatch(
          /^Connection: close|^the connection ended \((closed|reset)\) where a line.*: ""$/,
        )
      }
    })

    // Over TLS, a client sends its request only when the server has taken part in a handshake.
    const plainOnly = test.skipIf(process.env.MONOCEROS_TEST_TLS === '1')
    plainOnly(
      'what has reached the machine before it is answered, read or not, accepted or not',
      async () => {
        const server = await startPlain()
        const [acceptor = 0] = acceptors(server)
        const open = await RawConnection.open(server)
        expect((await open.request(get('/'))).status).toBe(200)
        process.kill(acceptor, 'SIGSTOP')
        await open.send(get('/'))
        const waiting = await RawConnection.open(server)
        await waiting.send(get('/'))
        server.signal('SIGTERM')
        await server.waitForLog(/SIGTERM/)
        process.kill(acceptor, 'SIGCONT')
        for (const connection of [open, waiting]) {
          const response = await connection.readResponse()
          expect(response.status).toBe(200)
          expect(response.header('Connection')).toBe('close')
        }
        expect(await server.exited).toEqual({ code: 0, signal: null })
      },
    )

    test('a large download and a slow upload in flight are completed', async () => {
      const server = await startPlain()
      const size = 20_000_000
      const download = await RawConnection.open(server)
      await download.send(get(`/big?size=${size}&sized`))
      const response = await download.readResponse('GET', { bodyless: true })
      expect(response.header('Content-Length')).toBe(String(size))
      const upload = await RawConnection.open(server)
      const bytes = post('/length', Buffer.alloc(10_000))
      await upload.send(bytes.subarray(0, 5_000))
      await acceptorHasRead(server)

      server.signal('SIGTERM')
      await server.waitForLog(/SIGTERM/)
      const { rest } = await download.readToEnd()
      expect(rest.length).toBe(size)
      await upload.send(bytes.subarray(5_000))
      expect((await upload.readResponse()).text).toBe('10000')
      expect(await server.exited).toEqual({ code: 0, signal: null })
    })

    test('what does not finish within graceful_timeout is cut off, and the exit status is still 0', async () => {
      const server = await startPlain({ args: ['--graceful-timeout', '1'] })
      const { connection } = await beginWaiting(server, 'a')
      const tree = [server.pid, ...descendantsOf(server.pid)]
      server.signal('SIGTERM')
      const exit = await within('the server to end', 20_000, server.exited)
      expect(exit).toEqual({ code: 0, signal: null })
      for (const pid of tree) await waitUntilGone(pid)
      await connection.readToEnd()
    })
  })

  describe('the acceptor dies', () => {
    test('it is replaced with its workers, and no connection attempt is refused meanwhile', async () => {
      const server = await startPlain({ args: ['--workers', '2'] })
      const [acceptor = 0] = acceptors(server)
      const workers = server.workers()
      expect(isAlive(acceptor)).toBe(true)
      process.kill(acceptor, 'SIGKILL')
      // Connects while nobody accepts, and is answered by the replacement.
      const response = await exchangeOnce(server, get('/pid'))
      expect(response.status).toBe(200)
      expect(workers).not.toContain(Number(response.text))
      expect(acceptors(server)).not.toContain(acceptor)
      for (const pid of workers) await waitUntilGone(pid)
      expect(server.workers()).toHaveLength(2)
    })

    test('with two acceptors the other one goes on serving', async () => {
      const server = await startPlain({ args: ['--workers', '2', '--acceptors', '2'] })
      expect(acceptors(server)).toHaveLength(2)
      const [acceptor = 0] = acceptors(server)
      process.kill(acceptor, 'SIGKILL')
      for (let i = 0; i < 20; i++) expect((await exchangeOnce(server, get('/'))).status).toBe(200)
      await waitFor(
        'a new acceptor',
        () => acceptors(server).length === 2 && !acceptors(server).includes(acceptor),
      )
      await waitFor('its workers', () => server.workers().length === 2)
    })
  })

  test('the arbiter is killed: acceptors and workers leave by themselves', async () => {
    const server = await startPlain({ args: ['--workers', '2'] })
    const tree = descendantsOf(server.pid)
    expect(tree.length).toBeGreaterThanOrEqual(3)
    server.signal('SIGKILL')
    await server.exited
    for (const pid of tree) await waitUntilGone(pid)
    await server.waitForLog(/The arbiter is gone; stopping \[MONO5106\]/)
  })

  test('temporary directories are gone when the server is', async () => {
    const temporary = (await startPlain()).data
    const server = await startPlain({ env: { TMPDIR: temporary } })
    expect((await exchangeOnce(server, post('/length', Buffer.alloc(3_000_000)))).text).toBe(
      '3000000',
    )
    await server.stop()
    expect(readdirSync(temporary)).toEqual([])
  })
})
