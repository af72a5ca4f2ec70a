import type { Server } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RawConnection } from '../../tests/support/raw-client.ts'
import { waitFor } from '../../tests/support/wait-for.ts'
import { Span } from '../bytes/span.ts'
import { MemoryBudget, UNLIMITED_MEMORY } from '../spool/memory-budget.ts'
import { ConnectionsPerAddress } from './connections-per-address.ts'
import type { Reply, RequestSink } from './exchange.ts'
import { h1 } from './h1/protocol.ts'
import { HttpServer, type HttpServerOptions } from './http-server.ts'
import { DEFAULT_HEAD_LIMITS } from './limits.ts'
import { headerGate } from './proxy-protocol/header-gate.ts'
import type { RequestHead } from './request-head.ts'
import { responseHead } from './response-head.ts'

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`

interface Bench {
  readonly port: number
  readonly server: HttpServer
  readonly listening: Server
  /** Requests to `/held…` that have no answer yet. */
  readonly held: Reply[]
  readonly turnedAway: string[]
  scarce: number
  failures: Error[]
  unable: number
}

function answer(reply: Reply, text: string): void {
  const bytes = Buffer.from(text)
  reply.respond(responseHead(200, []), new Span().set(bytes, 0, bytes.length))
}

async function serve(options: Partial<HttpServerOptions> = {}): Promise<Bench> {
  const handler = (head: RequestHead, reply: Reply): RequestSink => ({
    begin() {},
    bodyData() {},
    bodyEnd() {
      if (head.target.startsWith('/held')) bench.held.push(reply)
      else answer(reply, head.target)
    },
    clientEnded() {},
    written() {},
    closed() {},
  })
  const server = new HttpServer({
    protocol: h1,
    limits: DEFAULT_HEAD_LIMITS,
    timeouts: { header: 30, body: 30, keepAlive: 30, write: 30, wholeBody: 0 },
    rates: { body: 240, write: 240 },
    memory: UNLIMITED_MEMORY,
    serverName: '',
    handler,
    maxConnections: 0,
    refused: () => {},
    turnsAway: (why) => bench.turnedAway.push(why),
    scarce: () => bench.scarce++,
    unableToAccept: () => bench.unable++,
    ...options,
  })
  const listening = await server.listen({ port: 0, host: '127.0.0.1' }, (error) =>
    bench.failures.push(error),
  )
  const bench: Bench = {
    port: (listening.address() as { port: number }).port,
    server,
    listening,
    held: [],
    turnedAway: [],
    scarce: 0,
    failures: [],
    unable: 0,
  }
  onTestFinished(() => server.stop(0))
  return bench
}

/**
 * Connections that are all there before the server can accept the first of them, and with what else
 * has been sent meanwhile.
 */
async function openTogether(
  bench: Bench,
  count: number,
  meanwhile = () => {},
): Promise<RawConnection[]> {
  const opening = Array.from({ length: count }, () => RawConnection.open(bench))
  await new Promise<void>((resolve) => process.nextTick(resolve)) // when node connects
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  meanwhile()
  return Promise.all(opening)
}

/** New connections are left alone for half a second; this waits until that is over. */
async function graceOver(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1100))
}

async function open(bench: Bench, count: number): Promise<RawConnection[]> {
  const clients: RawConnection[] = []
  while (clients.length < count) clients.push(await RawConnection.open(bench))
  return clients
}

describe('where there are max_connections', () => {
  it('the one that has been idle for longest makes space, whether it had an answer or never sent anything', async () => {
    const bench = await serve({ maxConnections: 3 })
    const [silent, first, second] = await open(bench, 3)
    for (const client of [second, first]) expect((await client!.request(get('/'))).status).toBe(200)
    await graceOver()

    const [third] = await open(bench, 1)
    expect(await silent!.expectEnd()).toBe('closed')
    expect((await third!.request(get('/3'))).text).toBe('/3')

    const [fourth] = await open(bench, 1)
    expect(await second!.expectEnd()).toBe('closed')
    expect((await fourth!.request(get('/4'))).text).toBe('/4')
    expect((await first!.request(get('/1'))).text).toBe('/1')
    expect(bench.turnedAway).toEqual([])
  })

  it('one with a request under way, or a part of one, makes no space: the new one gets 503', async () => {
    const bench = await serve({ maxConnections: 2 })
    const [busy, typing] = await open(bench, 2)
    await busy!.send(get('/held'))
    await waitFor('the request', () => bench.held.length === 1)
    await typing!.send('GET / HT')
    await waitFor('its beginning', async () => {
      const [over] = await open(bench, 1)
      const { status } = await over!.readResponse()
      return status === 503
    })
    expect(bench.turnedAway.length).toBeGreaterThan(0)
    answer(bench.held[0]!, 'late')
    expect((await busy!.readResponse()).text).toBe('late')

    const [next] = await open(bench, 1)
    expect(await busy!.expectEnd()).toBe('closed')
    expect((await next!.request(get('/'))).status).toBe(200)
  })

  it('as many make space as new ones come in one turn, and no request that has arrived by then is lost', async () => {
    const bench = await serve({ maxConnections: 40 })
    const old = await open(bench, 40)
    for (const client of old) await client.request(get('/'))
    const asking = old.slice(0, 20)
    for (const client of asking) client.socket.write(get('/asked'))
    const fresh = await openTogether(bench, 20)
    for (const client of asking) expect((await client.readResponse()).text).toBe('/asked')
    for (const client of fresh) expect((await client.request(get('/new'))).text).toBe('/new')
    expect(bench.turnedAway).toEqual([])
  })

  it('more may come than are idle: each gets an answer, its own or 503', async () => {
    const bench = await serve({ maxConnections: 4 })
    const old = await open(bench, 4)
    for (const client of old) await client.request(get('/'))
    for (const client of old.slice(0, 2)) await client.send(get('/held'))
    await waitFor('the requests', () => bench.held.length === 2)
    const fresh = await openTogether(bench, 12)
    await waitFor('the others to be turned away', () => bench.turnedAway.length === 10)
    const answers = await Promise.all(
      fresh.map(async (client) => {
        await client.send(get('/new'))
        return (await client.readResponse()).status
      }),
    )
    // The first two take the places of the idle ones, and nobody takes theirs before they have been
    // heard.
    expect(answers.filter((status) => status !== 200 && status !== 503)).toEqual([])
    expect(answers.slice(0, 2)).toEqual([200, 200])
    expect(answers).toContain(503)
    for (const reply of bench.held) answer(reply, 'held')
    for (const client of old.slice(0, 2)) expect((await client.readResponse()).text).toBe('held')
  })
})

describe('where descriptors are nearly used up', () => {
  it('idle connections make space, and new ones get 503 where there are none, long before max_connections', async () => {
    const bench = await serve({ maxConnections: 1000 })
    const old = await open(bench, 2)
    for (const client of old) await client.request(get('/'))
    bench.server.adapt(1000, 1) // from now on every descriptor is one of the last
    const [fresh] = await open(bench, 1)
    expect(await old[0]!.expectEnd()).toBe('closed')
    expect((await fresh!.request(get('/new'))).text).toBe('/new')
    expect(bench.scarce).toBe(1)
    for (const client of [old[1]!, fresh!]) await client.send(get('/held'))
    await waitFor('both requests', () => bench.held.length === 2)
    const [over] = await open(bench, 1)
    expect((await over!.readResponse()).status).toBe(503)
    expect(bench.turnedAway).toEqual(['descriptors'])
    for (const reply of bench.held) answer(reply, 'held')
    for (const client of [old[1]!, fresh!]) expect((await client.readResponse()).text).toBe('held')
  })
})

describe('accepting that fails', () => {
  /**
   * What libuv does: it calls again and again, and does not come back before it succeeds or there
   * is nothing to listen to.
   */
  function fail(bench: Bench, errno: number, most: number): number {
    const { _handle: handle } = bench.listening as unknown as {
      _handle: { onconnection(status: number): void } | null
    }
    let calls = 0
    while (calls < most && bench.listening.listening) {
      calls++
      handle!.onconnection(errno)
    }
    return calls
  }

  it('for want of descriptors closes idle connections at once, longest idle first', async () => {
    const bench = await serve()
    const old = await open(bench, 3)
    for (const client of old) await client.request(get('/'))
    fail(bench, -24, 2)
    expect(bench.failures.map((error) => (error as NodeJS.ErrnoException).code)).toEqual([
      'EMFILE',
      'EMFILE',
    ])
    for (const client of old.slice(0, 2)) expect(await client.expectEnd()).toBe('closed')
    expect((await old[2]!.request(get('/'))).status).toBe(200)
    expect(bench.unable).toBe(0)
  })

  it('is given up when nothing helps, so that all else has its turn; connections go on', async () => {
    const bench = await serve()
    const [busy] = await open(bench, 1)
    await busy!.send(get('/held'))
    await waitFor('the request', () => bench.held.length === 1)
    expect(fail(bench, -24, 10_000)).toBeLessThan(100)
    expect(bench.unable).toBe(1)
    answer(bench.held[0]!, 'late')
    expect((await busy!.readResponse()).text).toBe('late')
  })

  it('now and then is nothing to give up for', async () => {
    const bench = await serve()
    for (let turn = 0; turn < 10; turn++) {
      fail(bench, -24, 20)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(bench.unable).toBe(0)
    const [client] = await open(bench, 1)
    expect((await client!.request(get('/'))).status).toBe(200)
  })

  it('is helped by closing a quarter of the idle connections, 16 at least', async () => {
    const bench = await serve()
    const old = await open(bench, 80)
    for (const client of old) await client.request(get('/'))
    expect(bench.server.reclaimIdle()).toBe(20)
    for (const client of old.slice(0, 20)) expect(await client.expectEnd()).toBe('closed')
    expect(bench.server.reclaimIdle()).toBe(16)
    for (const client of old.slice(20, 36)) expect(await client.expectEnd()).toBe('closed')
    for (const client of old.slice(36)) expect((await client.request(get('/'))).status).toBe(200)
  })
})

describe('a server that stops', () => {
  it('answers every connection that has reached the machine, and refuses further ones', async () => {
    const bench = await serve()
    let stopped = Promise.resolve()
    const clients = await openTogether(bench, 20, () => {
      stopped = bench.server.stop(10_000)
    })
    const answers = await Promise.all(clients.map((client) => client.request(get('/late'))))
    expect(answers.map(({ status }) => status)).toEqual(clients.map(() => 200))
    expect(answers.map((response) => response.header('connection'))).toEqual(
      clients.map(() => 'close'),
    )
    await stopped
    await expect(RawConnection.open(bench)).rejects.toThrow('ECONNREFUSED')
  })

  it('waits only a moment for the request of a new connection', async () => {
    const bench = await serve()
    const [client] = await open(bench, 1)
    await waitFor('the connection', () => bench.server.connections === 1)
    await bench.server.stop(10_000)
    expect(bench.server.connections).toBe(0)
    expect(await client!.expectEnd()).toBe('closed')
  })
})

describe('a connection with nothing under way', () => {
  /** How long our side was kept open for a client that keeps its own open, in milliseconds. */
  async function keptOpen(bench: Bench, client: RawConnection): Promise<number> {
    expect(await client.expectEnd()).toBe('closed')
    const end = performance.now()
    await waitFor('the server to close its side', () => bench.server.connections === 0)
    return performance.now() - end
  }

  it('ends without lingering when the header timeout passes and it never sent anything', async () => {
    const bench = await serve({
      timeouts: { header: 0.3, body: 30, keepAlive: 30, write: 30, wholeBody: 0 },
    })
    const [client] = await open(bench, 1)
    expect(await keptOpen(bench, client!)).toBeLessThan(4500) // lingering takes 5 s
  })

  it('ends without lingering when the keep-alive timeout passes', async () => {
    const bench = await serve({
      timeouts: { header: 30, body: 30, keepAlive: 0.3, write: 30, wholeBody: 0 },
    })
    const [client] = await open(bench, 1)
    await client!.request(get('/'))
    expect(await keptOpen(bench, client!)).toBeLessThan(4500)
  })

  it('is asked once more whether a request has come when its timeout passes', async () => {
    const bench = await serve({
      timeouts: { header: 30, body: 30, keepAlive: 0.5, write: 30, wholeBody: 0 },
    })
    const [client] = await open(bench, 1)
    await client!.request(get('/'))
    const waiting = client!.readResponse()
    // The kernel has the request while this process, which is the server's too, does nothing until
    // the time is over.
    const until = performance.now() + 1500
    client!.socket.write(get('/just-in-time'))
    while (performance.now() < until)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    expect((await waiting).status).toBe(200)
  })
})

describe('when memory is lacking altogether', () => {
  it('clients that take nothing of their answers are given up, and the others are not', async () => {
    const memory = new MemoryBudget(10_000_000)
    const bench = await serve({ memory })
    const unread = await RawConnection.open(bench)
    await unread.send(get('/held'))
    const [reply] = await waitFor('the request', () => bench.held.length > 0 && bench.held)
    answer(reply!, 'x'.repeat(60_000_000))
    await waitFor('the memory to be over', () => memory.over)
    const innocent = await RawConnection.open(bench)
    expect((await innocent.request(get('/innocent'))).text).toBe('/innocent')
    await waitFor('the memory', () => memory.held === 0)
    expect((await innocent.request(get('/still'))).text).toBe('/still')
    expect((await unread.readToEnd()).rest.length).toBeLessThan(60_000_000)
  })

  it('bodies that bring nothing are refused', async () => {
    const memory = new MemoryBudget(1000)
    const bench = await serve({ memory })
    const client = await RawConnection.open(bench)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome')
    memory.add(2000)
    expect((await client.readResponse()).status).toBe(503)
  })
})

describe('headers of the PROXY protocol', () => {
  const header = headerGate({ versions: 'auto', expects: () => true, believesTls: false })

  it('count as held while they are incomplete, however many clients send them', async () => {
    const memory = new MemoryBudget(1024 * 1024)
    const { port } = await serve({ header, memory })
    const part = Buffer.from('PROXY UNKNOWN '.padEnd(100, 'x'))
    const clients = await Promise.all(
      Array.from({ length: 200 }, () => RawConnection.open({ port })),
    )
    for (const client of clients) await client.send(part)
    await waitFor('all to be held', () => memory.held === 200 * part.length)
    // They cannot send more than a header has.
    for (const client of clients.slice(100)) await client.send(Buffer.alloc(64, 'x'))
    await waitFor('half of them to be gone', () => memory.held === 100 * part.length)
    for (const client of clients) client.close()
    await waitFor('nothing to be held', () => memory.held === 0)
  })

  it('are silent connections, which make room for others', async () => {
    const { port, server } = await serve({ header, maxConnections: 4 })
    const silent = await Promise.all(Array.from({ length: 4 }, () => RawConnection.open({ port })))
    await waitFor('all to be there', () => server.connections === 4)
    // At first they are left alone.
    await waitFor('space', async () => {
      const client = await RawConnection.open({ port })
      const response = await client.request(`PROXY UNKNOWN\r\n${get('/')}`)
      client.close()
      return response.text === '/'
    })
    const ended = await Promise.race(silent.map((one) => one.expectEnd()))
    expect(ended).toBe('closed')
  })

  it('say whose connection counts for the limit of an address', async () => {
    const perAddress = new ConnectionsPerAddress(1, () => false)
    const { port, turnedAway, held } = await serve({ header, perAddress })
    const open = async (address: string, path = '/') => {
      const client = await RawConnection.open({ port })
      await client.send(`PROXY TCP4 ${address} 198.51.100.1 1 2\r\n${get(path)}`)
      return client
    }
    const first = await open('192.0.2.1')
    expect((await first.readResponse()).text).toBe('/')
    expect((await (await open('192.0.2.2')).readResponse()).text).toBe('/')
    const second = await open('192.0.2.1', '/held')
    await second.readToEnd()
    expect(turnedAway).toEqual(['address'])
    expect(held).toEqual([])
    expect(perAddress.size).toBe(2)
  })

  it('do not hold up a stop', async () => {
    const { port, server } = await serve({ header })
    await RawConnection.open({ port })
    await waitFor('the connection', () => server.connections === 1)
    await server.stop(10_000)
    expect(server.connections).toBe(0)
  })
})
