import { describe, expect, it } from 'vitest'
import { CLIENT, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { EMPTY } from '../../bytes/span.ts'
import type { Peer, Reply, RequestHandler, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { responseHead } from '../../http/response-head.ts'
import { RequestEvents } from '../../observe/request-events.ts'
import type { RateLimiter } from '../../rate-limit/rate-limiter.ts'
import { type OverLimit, parseRatePolicy } from '../../rate-limit/rate-policy.ts'
import { TokenBuckets } from '../../rate-limit/token-buckets.ts'
import { Networks } from '../networks.ts'
import { rateLimit } from './rate-limit.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n'

/** The application: notes what it is told, and answers when it is told to. */
class Application implements RequestSink {
  readonly told: string[] = []
  readonly #reply: Reply
  /** Pauses the body as soon as it begins. */
  readonly #pauses: boolean

  constructor(reply: Reply, pauses: boolean) {
    this.#reply = reply
    this.#pauses = pauses
  }

  begin(): void {
    this.told.push('begin')
    if (this.#pauses) this.#reply.pauseBody()
  }

  bodyData(chunk: Buffer): void {
    this.told.push(`data ${chunk}`)
  }

  bodyEnd(): void {
    this.told.push('end')
  }

  clientEnded(): void {
    this.told.push('client ended')
  }

  written(): void {}

  closed(completed: boolean): void {
    this.told.push(`closed ${completed}`)
  }

  answer(): void {
    this.#reply.respond(responseHead(200, []), EMPTY)
  }

  resume(): void {
    this.#reply.resumeBody()
  }
}

function limited(limiter: RateLimiter, exempt: string[] = [], policies = ['2/s'], pauses = false) {
  const applications: Application[] = []
  const reasons: string[] = []
  const events = new RequestEvents(() => {})
  events.requestRefused.subscribe(({ reason }) => reasons.push(reason))
  const next: RequestHandler = (_, reply) => {
    const application = new Application(reply, pauses)
    applications.push(application)
    return application
  }
  const parsed = policies.map((text) => parseRatePolicy(text)!)
  const handler = rateLimit(
    limiter,
    parsed,
    new Networks(exempt),
    new Networks(['10.9.9.9']),
    events,
  )(next)
  return { applications, reasons, handler }
}

const buckets = (...policies: string[]) =>
  new TokenBuckets(
    policies.map((text) => parseRatePolicy(text)!),
    1000,
    () => 0,
  )

const from = (remoteAddress: string): ScriptedEngine =>
  new ScriptedEngine({ ...CLIENT, remoteAddress })

/** A handler before it that lets trusted proxies name the client. */
const naming =
  (client: Peer, next: RequestHandler): RequestHandler =>
  (head: RequestHead, reply) => {
    head.client = client
    return next(head, reply)
  }

describe('a client over the limit', () => {
  it('gets 429 with what it needs to wait', () => {
    const policies = ['2/m', '100/h:burst=200']
    const { handler, applications, reasons } = limited(buckets(...policies), [], policies)
    for (let i = 0; i < 2; i++) from('192.0.2.7').request(handler, GET)
    const engine = from('192.0.2.7').request(handler, GET)
    expect(applications).toHaveLength(2)
    expect(engine.said).toEqual(['refuse 429'])
    expect(engine.head?.fields).toEqual([
      ['Retry-After', '30'],
      ['RateLimit-Policy', '"2/m";q=2;w=60, "100/h:burst=200";q=100;w=3600;monoceros-burst=200'],
      ['RateLimit', '"2/m";r=0;t=30'],
    ])
    expect(reasons).toEqual(['the client is over the rate limit of 2/m'])
  })

  it('is disconnected if a body would have to be read', () => {
    const { handler } = limited(buckets('1/s'))
    from('192.0.2.7').request(handler, GET)
    const engine = from('192.0.2.7')
    engine.begin(handler, POST)
    expect(engine.said).toEqual(['refuse 429 close'])
  })

  it('is the same one with any address of a /64, and as IPv4 in IPv6', () => {
    for (const [one, other] of [
      ['2001:db8::1', '2001:db8::ffff:2'],
      ['192.0.2.7', '::ffff:192.0.2.7'],
    ]) {
      const { handler } = limited(buckets('1/s'))
      expect(from(one!).request(handler, GET).said).toEqual([])
      expect(from(other!).request(handler, GET).said).toEqual(['refuse 429'])
    }
  })

  it('is the one that a trusted proxy names', () => {
    const { handler, applications } = limited(buckets('1/s'))
    for (const name of ['203.0.113.1', '203.0.113.2', '203.0.113.1']) {
      from('10.0.0.1').request(naming({ ...CLIENT, remoteAddress: name }, handler), GET)
    }
    expect(applications).toHaveLength(2)
  })

  it('is told of in the log as a proxy, if it is one that names no client', () => {
    const { handler, reasons } = limited(buckets('1/s'))
    for (let i = 0; i < 2; i++) from('10.9.9.9').request(handler, GET)
    expect(reasons).toEqual([
      'the client is over the rate limit of 1/s ' +
        '(a trusted proxy that names no client: see forwarded_headers)',
    ])
  })

  it('cannot choose its address by a header', () => {
    const { handler, applications } = limited(buckets('1/s'))
    for (const name of ['203.0.113.1', '203.0.113.2']) {
      const fields = `X-Forwarded-For: ${name}\r\nForwarded: for=${name}\r\nX-Real-IP: ${name}`
      from('192.0.2.7').request(handler, `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n\r\n`)
    }
    expect(applications).toHaveLength(1)
  })
})

it('does not apply to exempt networks and to unix sockets', () => {
  const { handler, applications } = limited(buckets('1/s'), ['10.0.0.0/8'])
  for (let i = 0; i < 3; i++) {
    from('10.1.2.3').request(handler, GET)
    from('').request(handler, GET)
  }
  expect(applications).toHaveLength(6)
})

describe('while something else counts', () => {
  function asked(pauses = false) {
    let decide: (over: OverLimit | null) => void = () => {}
    const limiter = {
      take: () => new Promise<OverLimit | null>((resolve) => (decide = resolve)),
    }
    const { handler, applications } = limited(limiter, [], ['2/s'], pauses)
    const decided = async (over: OverLimit | null) => {
      decide(over)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { handler, applications, decided, engine: from('192.0.2.7') }
  }
  const OVER: OverLimit = { policy: parseRatePolicy('2/s')!, waitMs: 1 }

  it('a request waits, and then arrives as a whole', async () => {
    const { handler, applications, decided, engine } = asked()
    engine.request(handler, GET)
    expect(applications).toEqual([])
    await decided(null)
    expect(applications[0]!.told).toEqual(['begin', 'end'])
    applications[0]!.answer()
    expect(engine.said).toEqual(['respond 200'])
    expect(applications[0]!.told).toEqual(['begin', 'end', 'closed true'])
  })

  it('its body is not read', async () => {
    const { handler, applications, decided, engine } = asked()
    const sink = engine.begin(handler, POST)
    expect(engine.said).toEqual(['pause'])
    sink.bodyData(Buffer.from('a'))
    sink.clientEnded()
    await decided(null)
    expect(engine.said).toEqual(['pause', 'resume'])
    sink.bodyData(Buffer.from('bc'))
    sink.bodyEnd()
    expect(applications[0]!.told).toEqual(['begin', 'data a', 'client ended', 'data bc', 'end'])
  })

  it('its body stays paused if the application wants that', async () => {
    const { handler, applications, decided, engine } = asked(true)
    engine.begin(handler, POST)
    await decided(null)
    expect(engine.said).toEqual(['pause'])
    applications[0]!.resume()
    expect(engine.said).toEqual(['pause', 'resume'])
  })

  it('a request is refused', async () => {
    const { handler, applications, decided, engine } = asked()
    engine.request(handler, GET)
    await decided(OVER)
    expect(engine.said).toEqual(['refuse 429'])
    expect(applications).toEqual([])
  })

  it('a client that has left is forgotten', async () => {
    const { handler, applications, decided, engine } = asked()
    engine.request(handler, GET)
    engine.close(false)
    await decided(null)
    expect(applications).toEqual([])
    expect(engine.said).toEqual([])
  })
})
