import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { get, type PlainServer, post, startPlain } from '../support/plain-application.ts'
import { childrenOf, commandLineOf, descendantsOf, residentMemory } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { descriptorsOf, forgetPeak, mebibytes, resourcesOf } from '../support/resources.ts'
import { eightThatDoNotRead } from '../support/slow-readers.ts'
import { waitFor } from '../support/wait-for.ts'

// The acceptor owns the connection, the worker owns the application: one single-threaded worker
// answers everybody else while any number of clients are slow, in whichever direction.

/** Asks again and again for `duration` milliseconds; returns the slowest answer in milliseconds. */
async function slowestAnswer(server: PlainServer, duration: number): Promise<number> {
  const end = Date.now() + duration
  let slowest = 0
  while (Date.now() < end) {
    const since = performance.now()
    expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
    slowest = Math.max(slowest, performance.now() - since)
  }
  return slowest
}

function acceptorOf(server: PlainServer): number {
  return childrenOf(server.pid).find((pid) => commandLineOf(pid).includes('acceptor')) ?? 0
}

describe.skipIf(!hasPython())('slow clients and one worker', () => {
  test('forty clients that drip their headers hold nobody up', async () => {
    const server = await startPlain()
    const dripping = await Promise.all(Array.from({ length: 40 }, () => RawConnection.open(server)))
    const drips = dripping.map((connection) => connection.drip(get(`/${'x'.repeat(1000)}`), 20))
    expect(await slowestAnswer(server, 1_000)).toBeLessThan(8_000)
    for (const connection of dripping) connection.close()
    await Promise.all(drips)
  })

  test('forty clients that drip their bodies hold nobody up', async () => {
    const server = await startPlain()
    const dripping = await Promise.all(Array.from({ length: 40 }, () => RawConnection.open(server)))
    const drips = dripping.map((connection) =>
      connection.drip(post('/length', Buffer.alloc(1000)), 20, 2),
    )
    expect(await slowestAnswer(server, 1_000)).toBeLessThan(8_000)
    for (const connection of dripping) connection.close()
    await Promise.all(drips)
  })

  test('twenty clients that do not read their responses hold nobody up, and get them whole later', async () => {
    const server = await startPlain()
    const size = 8_000_000
    const readers = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(server)))
    for (const [number, reader] of readers.entries()) {
      // Chunked and with a length, from a generator and as one string.
      const target =
        [`/big?size=${size}`, `/big?size=${size}&sized`, `/whole?size=${size}`][number % 3] ?? ''
      await reader.send(get(target))
    }
    expect(await slowestAnswer(server, 1_000)).toBeLessThan(8_000)
    for (const reader of readers.slice(0, 3))
      expect((await reader.readResponse()).body.length).toBe(size)
  })

  test('responses that nobody reads are not heaped up in memory', async () => {
    const server = await startPlain()
    await slowestAnswer(server, 200)
    const memory = () =>
      [server.pid, ...descendantsOf(server.pid)].reduce((sum, pid) => sum + residentMemory(pid), 0)
    const before = memory()
    const readers = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(server)))
    await Promise.all(readers.map((reader) => reader.send(get('/endless?key=k'))))
    await waitFor('all to have begun', () => server.timesBegun('k') === 20)
    await slowestAnswer(server, 1_000)
    // 20 windows of 256 KiB in the acceptor, and what the worker holds of each; endless() would
    // make gigabytes.
    expect(memory() - before).toBeLessThan(100 * 1024 * 1024)
    for (const reader of readers) reader.reset()
    await waitFor('every close()', () => server.timesClosed('k') === 20)
  })

  test('sixty clients that do not read 20 MB each cost the worker no memory, and get it whole later', async () => {
    const server = await startPlain()
    const [worker = 0] = server.workers()
    await exchangeOnce(server, get('/whole?size=20000000'))
    const before = resourcesOf(worker).resident
    forgetPeak(worker)
    const readers = await Promise.all(Array.from({ length: 60 }, () => RawConnection.open(server)))
    for (const reader of readers) await reader.send(get('/whole?size=20000000'))
    // It is behind all of them in the queue.
    const innocent = await RawConnection.open(server)
    innocent.timeout = 60_000
    expect((await innocent.request(get('/'))).text).toBe('hello\n')
    const files = () => descriptorsOf(acceptorOf(server))['deleted file'] ?? 0
    await waitFor('all of them to be spooled', () => files() >= readers.length, 60_000)
    for (const reader of readers.slice(0, 2)) {
      reader.timeout = 60_000
      const { body } = await reader.readResponse()
      expect(body.equals(Buffer.alloc(20_000_000, 'w'))).toBe(true)
    }
    const { peak } = resourcesOf(worker)
    console.log(`sixty readers of 20 MB: worker +${mebibytes(peak - before)} at most`)
    // A few at a time, where it would be 1,200 MB.
    expect(peak - before).toBeLessThan(300 * 1024 * 1024)
  })

  test.each([
    ['a worker of one thread', []],
    ['a worker of eight threads', ['--threads', '8']],
  ])('eight clients that do not read what write() sends leave %s free', async (_, args) =>
    eightThatDoNotRead(args),
  )

  test('without --response-spool-size a slow client is served by windows', async () => {
    const server = await startPlain({ args: ['--response-spool-size', '0', '--threads', '2'] })
    const reader = await RawConnection.open(server)
    await reader.send(get('/whole?size=20000000'))
    await exchangeOnce(server, get('/'))
    const files = () => descriptorsOf(acceptorOf(server))['deleted file'] ?? 0
    const without = files()
    expect((await reader.readResponse()).body.length).toBe(20_000_000)
    const spooling = await startPlain()
    const slow = await RawConnection.open(spooling)
    await slow.send(get('/whole?size=20000000'))
    await waitFor(
      'the temporary file',
      () => (descriptorsOf(acceptorOf(spooling))['deleted file'] ?? 0) > without,
    )
    expect((await slow.readResponse()).body.length).toBe(20_000_000)
    await waitFor(
      'the file to be closed',
      () => (descriptorsOf(acceptorOf(spooling))['deleted file'] ?? 0) === without,
    )
  })

  test('events are delivered one by one while their client is slow in nothing', async () => {
    const server = await startPlain()
    const connection = await RawConnection.open(server)
    await connection.send(get('/events?key=e&count=20'))
    await connection.readResponse('GET', { bodyless: true })
    for (let n = 0; n < 20; n++) {
      expect((await connection.readSome()).toString()).toContain(`event ${n}`)
      server.go(`e${n}`)
    }
  })

  test('a client that reads slowly gets everything, in order', async () => {
    const server = await startPlain()
    const connection = await RawConnection.open(server)
    const size = 2_000_000
    await connection.send(get(`/big?size=${size}&sized`))
    await connection.readResponse('GET', { bodyless: true })
    const parts: Buffer[] = []
    let received = 0
    while (received < size) {
      const part = await connection.readSome(50_000)
      parts.push(part)
      received += part.length
      await sleep(1)
    }
    expect(Buffer.concat(parts).every((byte, at) => byte === at % 256)).toBe(true)
    expect((await connection.request(get('/'))).text).toBe('hello\n')
  })

  test('a client that drips its headers is cut off with 408 after --header-timeout', async () => {
    const server = await startPlain({ args: ['--header-timeout', '1'] })
    const since = Date.now()
    const connection = await RawConnection.open(server)
    const drip = connection.drip(get(`/${'x'.repeat(2000)}`), 50)
    const response = await connection.readResponse()
    expect(response.status).toBe(408)
    expect(response.header('Connection')).toBe('close')
    expect(Date.now() - since).toBeGreaterThan(700)
    expect(Date.now() - since).toBeLessThan(15_000)
    connection.close()
    await drip
    expect(server.timesBegun('k')).toBe(0)
  })

  test('a connection on which nothing comes is closed after --header-timeout, without an answer', async () => {
    const server = await startPlain({ args: ['--header-timeout', '1'] })
    const connection = await RawConnection.open(server)
    expect(await connection.expectEnd()).toBe('closed')
  })

  test('a client that stops in its body is cut off with 408 after --body-timeout', async () => {
    const server = await startPlain({ args: ['--body-timeout', '1'] })
    const connection = await RawConnection.open(server)
    await connection.send(
      'POST /wait?key=k HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf',
    )
    const response = await connection.readResponse()
    expect(response.status).toBe(408)
    await server.waitForLog(/Refused .* with 408: .* \[MONO4023\]/)
    expect(response.header('Connection')).toBe('close')
    expect(await connection.expectEnd()).toBe('closed')
    expect(server.timesBegun('k')).toBe(0)
  })

  test('a slow upload that makes progress is not cut off, however long it takes', async () => {
    // A busy client pauses for longer between two pieces, but not for so long.
    const server = await startPlain({ args: ['--body-timeout', '8'] })
    const connection = await RawConnection.open(server)
    const since = Date.now()
    await connection.drip(post('/length', Buffer.alloc(40_000)), 400, 1_500)
    expect((await connection.readResponse()).text).toBe('40000')
    expect(Date.now() - since).toBeGreaterThan(9_000)
  })

  test('a client that stops reading is cut off after --write-timeout, and close() runs', async () => {
    const server = await startPlain({ args: ['--write-timeout', '1'] })
    const connection = await RawConnection.open(server)
    await connection.send(get('/endless?key=k'))
    await connection.readResponse('GET', { bodyless: true })
    await server.closed('k')
    expect(server.timesClosed('k')).toBe(1)
    await connection.readToEnd()
  })

  test('with --no-request-buffering the application reads the body as it comes', async () => {
    const server = await startPlain({ args: ['--no-request-buffering', '--threads', '2'] })
    const connection = await RawConnection.open(server)
    const bytes = post('/length', Buffer.alloc(3_000_000))
    await connection.sendSplit(bytes, [1_000_000, 2_000_000], 50)
    expect((await connection.readResponse()).text).toBe('3000000')
    expect((await connection.request(get('/'))).text).toBe('hello\n')
  })
})
