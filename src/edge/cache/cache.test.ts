import { afterEach, beforeEach, describe, expect, it, test, vi } from 'vitest'
import { CLIENT, parseHead, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { Span } from '../../bytes/span.ts'
import type { Reply, RequestHandler } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type Field, responseField, responseHead } from '../../http/response-head.ts'
import { RequestEvents } from '../../observe/request-events.ts'
import { MemoryBudget } from '../../spool/memory-budget.ts'
import { type CacheOptions, cache } from './cache.ts'
import type { Dropped, DropsLink } from './shared-drops.ts'

const NOW = Date.UTC(2026, 0, 1)
const span = (text: string) => new Span().set(Buffer.from(text, 'latin1'), 0, text.length)

/** What an application answers, as far as a test is interested in it. */
interface Answer {
  status?: number
  fields?: Field[]
  body?: string
  length?: number
}

/** A cache in front of an application that a test answers for. */
class Scene {
  readonly memory = new MemoryBudget(1024 * 1024)
  readonly handler: RequestHandler
  /** Requests that have reached the application. */
  readonly asked: { head: RequestHead; reply: Reply; log: string[] }[] = []
  /** Answers each request at once; null leaves that to the test. */
  answer: ((head: RequestHead) => Answer) | null = null

  constructor(options: Partial<CacheOptions> = {}) {
    const { memory } = this
    const events = new RequestEvents(() => {})
    const defaults = { bytes: 512 * 1024, largest: 64 * 1024, wait: 5, heuristic: 0, purgeFrom: [] }
    const certificates = { clientCertificates: false, others: null }
    this.handler = cache({ ...defaults, ...certificates, memory, events, ...options })(
      (head, reply) => {
        const log: string[] = []
        this.asked.push({ head, reply, log })
        return {
          begin: () => log.push('begin'),
          bodyData: () => {},
          bodyEnd: () => {
            log.push('bodyEnd')
            if (this.answer !== null) respond(reply, this.answer(head))
          },
          clientEnded: () => log.push('clientEnded'),
          written: (bytes) => log.push(`written ${bytes}`),
          closed: (completed) => log.push(`closed ${completed}`),
        }
      },
    )
  }

  /** The application's answers all have these fields. */
  always(fields: Field[], body = 'page'): this {
    this.answer = () => ({ fields, body })
    return this
  }

  get(target: string, fields = '', method = 'GET'): Client {
    const engine = new Client(CLIENT)
    engine.request(this.handler, `${method} ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)
    return engine
  }
}

class Client extends ScriptedEngine {
  field(name: string): string | undefined {
    return this.head === null ? undefined : responseField(this.head, name)
  }

  /** What the cache says of the answer, without the time. */
  get cached(): string | undefined {
    return this.field('cache-status')?.replace(/^monoceros; |; ttl=-?\d+/g, '')
  }
}

function respond(reply: Reply, { status = 200, fields = [], body = '', length = -1 }: Answer) {
  reply.respond(responseHead(status, fields, length), span(body))
}

const later = () => new Promise((resolve) => setImmediate(resolve))
const MINUTE: Field = ['Cache-Control', 'max-age=60']

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: NOW })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('responses that are stored', () => {
  const TAG: Field = ['ETag', '"x"']
  test.each<[string, Field[]]>([
    ['max-age', [['Cache-Control', 'max-age=10']]],
    ['a directive in capitals', [['Cache-Control', 'Max-Age=10']]],
    ['a quoted number', [['Cache-Control', 'max-age="10"']]],
    [
      'several fields',
      [
        ['Cache-Control', 'public'],
        ['Cache-Control', 'max-age=10'],
      ],
    ],
    ['s-maxage over max-age', [['Cache-Control', 'max-age=0, s-maxage=10']]],
    [
      'max-age over Expires',
      [
        ['Expires', '0'],
        ['Cache-Control', 'max-age=10'],
      ],
    ],
    ['Expires', [['Expires', new Date(NOW + 10_000).toUTCString()]]],
    ['must-revalidate', [['Cache-Control', 'max-age=10, must-revalidate']]],
    [
      'Pragma beside Cache-Control',
      [
        ['Pragma', 'no-cache'],
        ['Cache-Control', 'max-age=10'],
      ],
    ],
    [
      'an Age that is not too old',
      [
        ['Age', '5'],
        ['Cache-Control', 'max-age=10'],
      ],
    ],
    [
      'a malformed Age',
      [
        ['Age', '-10'],
        ['Cache-Control', 'max-age=10'],
      ],
    ],
  ])('%s', (_, fields) => {
    const scene = new Scene().always(fields)
    expect(scene.get('/').cached).toBe('fwd=uri-miss; stored')
    const second = scene.get('/')
    expect(second.cached).toBe('hit')
    expect(second.said).toEqual(['respond 200 page'])
    expect(scene.asked).toHaveLength(1)
  })

  test.each<[string, Answer]>([
    ['no lifetime', {}],
    [
      'no lifetime, but validators',
      { fields: [TAG, ['Last-Modified', new Date(0).toUTCString()]] },
    ],
    ['no-store', { fields: [['Cache-Control', 'max-age=10, no-store']] }],
    ['NO-STORE', { fields: [['Cache-Control', 'max-age=10, NO-STORE']] }],
    ['no-store in a second field', { fields: [MINUTE, ['cache-control', 'no-store']] }],
    ['private', { fields: [['Cache-Control', 'Private, max-age=10']] }],
    ['private for some fields', { fields: [['Cache-Control', 'max-age=10, private="a, b"']] }],
    ['no-cache without a validator', { fields: [['Cache-Control', 'max-age=10, no-cache']] }],
    ['Set-Cookie', { fields: [MINUTE, ['Set-Cookie', 'a=b']] }],
    [
      'Set-Cookie and public',
      {
        fields: [
          ['Cache-Control', 'public, max-age=9'],
          ['set-cookie', 'a'],
        ],
      },
    ],
    ['Vary: *', { fields: [MINUTE, ['Vary', 'Accept, *']] }],
    ['206', { status: 206, fields: [MINUTE, ['Content-Range', 'bytes 0-3/10']] }],
    ['200 with Content-Range', { fields: [MINUTE, ['Content-Range', 'bytes 0-3/10']] }],
    ['400', { status: 400, fields: [MINUTE] }],
    ['500', { status: 500, fields: [MINUTE] }],
    ['a number that is none', { fields: [['Cache-Control', 'max-age=1e9']] }],
    ['the smaller of two numbers', { fields: [['Cache-Control', 'max-age=60, max-age=0']] }],
    ['a negative number', { fields: [['Cache-Control', 'max-age=-60']] }],
    ['s-maxage=0', { fields: [['Cache-Control', 'max-age=60, s-maxage=0']] }],
    ['Expires in the past', { fields: [['Expires', new Date(NOW - 10_000).toUTCString()]] }],
    ['an Expires that is no date', { fields: [['Expires', '9999-01-01']] }],
    [
      'Pragma',
      {
        fields: [
          ['Pragma', 'no-cache'],
          ['Expires', new Date(NOW + 9e4).toUTCString()],
        ],
      },
    ],
    ['an Age that is too old', { fields: [['Age', '60'], MINUTE] }],
    ['a Date that is too old', { fields: [['Date', new Date(NOW - 9e4).toUTCString()], MINUTE] }],
    ['a body that was cut off', { fields: [MINUTE], length: 10 }],
    ['a body over the limit', { fields: [MINUTE], body: 'x'.repeat(64 * 1024 + 1) }],
  ])('not %s', (_, answer) => {
    const scene = new Scene()
    scene.answer = () => ({ body: 'page', ...answer })
    scene.get('/')
    expect(scene.get('/').cached).not.toBe('hit')
    expect(scene.asked).toHaveLength(2)
    expect(scene.memory.held).toBe(0)
  })

  it('are stored without a lifetime if there is a heuristic', () => {
    const scene = new Scene({ heuristic: 0.1 })
    scene.always([['Last-Modified', new Date(NOW - 1_000_000).toUTCString()]])
    scene.get('/')
    vi.setSystemTime(NOW + 99_000)
    expect(scene.get('/').cached).toBe('hit')
    vi.setSystemTime(NOW + 101_000)
    expect(scene.get('/').cached).not.toBe('hit')
  })
})

describe('an answer from the store', () => {
  it('has its age, and the date of the response', () => {
    const scene = new Scene().always([MINUTE, ['Age', '5'], ['X', 'y']])
    scene.get('/')
    vi.setSystemTime(NOW + 12_000)
    const { head } = scene.get('/')
    expect(head!.fields).toEqual([
      ['Cache-Control', 'max-age=60'],
      ['X', 'y'],
      ['Date', new Date(NOW).toUTCString()],
      ['Age', '17'],
      ['Cache-Status', 'monoceros; hit; ttl=43'],
      ['Content-Length', '4'],
    ])
    vi.setSystemTime(NOW + 55_500)
    expect(scene.get('/').cached).not.toBe('hit')
  })

  it('keeps what other caches have said', () => {
    const scene = new Scene().always([MINUTE, ['Cache-Status', 'inner; hit']])
    expect(scene.get('/').head!.fields.filter(([name]) => name === 'Cache-Status')).toEqual([
      ['Cache-Status', 'inner; hit'],
      ['Cache-Status', 'monoceros; fwd=uri-miss; stored'],
    ])
  })

  it('answers HEAD with the response to GET, but not the other way round', () => {
    const scene = new Scene().always([MINUTE])
    expect(scene.get('/', '', 'HEAD').cached).toBe('fwd=uri-miss')
    expect(scene.get('/').cached).toBe('fwd=uri-miss; stored')
    expect(scene.get('/', '', 'HEAD').cached).toBe('hit')
    expect(scene.asked).toHaveLength(2)
  })

  test.each([
    ['If-None-Match: "x"', 304],
    ['If-None-Match: "y", W/"x"', 304],
    ['If-None-Match: *', 304],
    ['If-None-Match: "y"', 200],
    ['If-None-Match: x', 200],
    [`If-Modified-Since: ${new Date(NOW).toUTCString()}`, 304],
    [`If-Modified-Since: ${new Date(0).toUTCString()}`, 200],
    ['If-Modified-Since: yesterday', 200],
    // If-None-Match decides if both are there.
    [`If-None-Match: "y"\r\nIf-Modified-Since: ${new Date(NOW).toUTCString()}`, 200],
  ])('to %s is %d', (field, status) => {
    const modified: Field = ['Last-Modified', new Date(NOW - 5000).toUTCString()]
    const scene = new Scene().always([MINUTE, ['ETag', '"x"'], modified, ['Content-Type', 'a/b']])
    scene.get('/')
    const client = scene.get('/', `${field}\r\n`)
    expect(client.head!.status).toBe(status)
    expect(client.cached).toBe('hit')
    expect(client.field('etag')).toBe('"x"')
    if (status === 304) {
      expect(client.said).toEqual(['respond 304'])
      expect(client.field('content-type')).toBeUndefined()
    }
  })

  test.each([
    ['bytes=0-1', 206, 'pa', 'bytes 0-1/4'],
    ['bytes=2-', 206, 'ge', 'bytes 2-3/4'],
    ['bytes=-1', 206, 'e', 'bytes 3-3/4'],
    ['bytes=9-', 416, '', 'bytes */4'],
    ['bytes=0-0,2-2', 200, 'page', undefined],
    ['lines=1-2', 200, 'page', undefined],
    ['bytes=0-1\r\nIf-Range: "x"', 206, 'pa', 'bytes 0-1/4'],
    ['bytes=0-1\r\nIf-Range: "y"', 200, 'page', undefined],
    ['bytes=0-1\r\nIf-Range: W/"x"', 200, 'page', undefined],
  ])('to Range: %s is %d', (range, status, body, content) => {
    const scene = new Scene().always([MINUTE, ['ETag', '"x"']])
    scene.get('/')
    const client = scene.get('/', `Range: ${range}\r\n`)
    expect(client.said).toEqual([`respond ${status} ${body}`.trimEnd()])
    expect(client.field('content-range')).toBe(content)
    expect(scene.asked).toHaveLength(1)
  })

  it('goes piece by piece to a client that reads slowly', () => {
    const scene = new Scene({ largest: 1024 * 1024, bytes: 8 * 1024 * 1024 })
    const body = 'x'.repeat(600 * 1024)
    scene.always([MINUTE], body)
    scene.get('/')
    const client = new Client(CLIENT)
    client.begin(scene.handler, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(client.bytesSent).toBeLessThan(200 * 1024)
    const sink = client.sink!
    while (client.said.at(-1) !== 'finish') sink.written(32 * 1024)
    expect(client.bytesSent).toBe(body.length)
  })
})

describe('requests', () => {
  test.each([
    ['Authorization: Basic x', 'fwd=bypass'],
    ['If-Match: "x"', 'fwd=bypass'],
    ['X-HTTP-Method-Override: DELETE', 'fwd=bypass'],
    ['X-Original-URL: /admin', 'fwd=bypass'],
    ['X-Rewrite-URL: /admin', 'fwd=bypass'],
    ['Content-Length: 0', 'hit'],
    ['Cookie: a=b', 'hit'],
    ['Cache-Control: no-cache', 'fwd=request; stored'],
    ['Pragma: no-cache', 'fwd=request; stored'],
    ['Cache-Control: max-age=0', 'fwd=request; stored'],
    ['Cache-Control: max-age=10', 'fwd=request; stored'],
    ['Cache-Control: max-age=30', 'hit'],
    ['Cache-Control: min-fresh=50', 'fwd=request; stored'],
    ['Cache-Control: min-fresh=10', 'hit'],
    ['Cache-Control: no-store', 'hit'],
    ['Cache-Control: only-if-cached', 'hit'],
  ])('with %s: %s', (field, cached) => {
    const scene = new Scene().always([MINUTE])
    scene.get('/')
    vi.setSystemTime(NOW + 20_000)
    expect(scene.get('/', `${field}\r\n`).cached).toBe(cached)
  })

  it('with only-if-cached are answered 504 if nothing is stored', () => {
    const scene = new Scene().always([MINUTE])
    expect(scene.get('/', 'Cache-Control: only-if-cached\r\n').said).toEqual(['refuse 504'])
    expect(scene.asked).toEqual([])
  })

  it('with no-store are not stored', () => {
    const scene = new Scene().always([MINUTE])
    scene.get('/', 'Cache-Control: no-store\r\n')
    expect(scene.get('/').cached).toBe('fwd=uri-miss; stored')
  })

  it('with max-stale get a stale response, unless it forbids that', () => {
    for (const [control, cached] of [
      ['max-age=10', 'hit'],
      ['max-age=10, must-revalidate', 'fwd=stale; stored'],
      ['max-age=10, proxy-revalidate', 'fwd=stale; stored'],
      ['s-maxage=10', 'fwd=stale; stored'],
    ] as const) {
      vi.setSystemTime(NOW)
      const scene = new Scene().always([['Cache-Control', control]])
      scene.get('/')
      vi.setSystemTime(NOW + 15_000)
      expect(scene.get('/', 'Cache-Control: max-stale=60\r\n').cached, control).toBe(cached)
    }
  })
})

describe('what an attacker may try', () => {
  /** The attacker's request comes first; the other one must not get its answer. */
  test.each([
    ['another port', 'GET / HTTP/1.1\r\nHost: a:1\r\n\r\n'],
    ['another case of the host', 'GET / HTTP/1.1\r\nHost: A\r\n\r\n'],
    ['a host in the target', 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['X-Forwarded-Host', 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: evil\r\n\r\n'],
    ['X-Host', 'GET / HTTP/1.1\r\nHost: a\r\nX-Host: evil\r\n\r\n'],
    ['X-Forwarded-Scheme', 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Scheme: nothttps\r\n\r\n'],
    ['X-Forwarded-Port', 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Port: 1\r\n\r\n'],
    ['X-Forwarded-Prefix', 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Prefix: //evil\r\n\r\n'],
    ['Forwarded', 'GET / HTTP/1.1\r\nHost: a\r\nForwarded: for=1.2.3.4;host=evil\r\n\r\n'],
    ['a malformed Forwarded', 'GET / HTTP/1.1\r\nHost: a\r\nForwarded: host="evil\r\n\r\n'],
    ['a query', 'GET /? HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an encoded path', 'GET /%2e HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['two slashes', 'GET // HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['another method', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['an unknown method', 'QUERY / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a method for frameworks', 'GET / HTTP/1.1\r\nHost: a\r\nX-Method-Override: PUT\r\n\r\n'],
    ['a path for frameworks', 'GET / HTTP/1.1\r\nHost: a\r\nX-Original-URL: /x\r\n\r\n'],
    ['a body', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n'],
    ['a range', 'GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n'],
    ['Authorization', 'GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n'],
    ['a user whom a proxy knows', 'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-User: x\r\n\r\n'],
    ['no host', 'GET / HTTP/1.0\r\n\r\n'],
  ])('%s does not change what others get', (_, text) => {
    const scene = new Scene()
    scene.answer = () => ({ fields: [MINUTE], body: `answer ${scene.asked.length}` })
    new Client(CLIENT).request(scene.handler, text)
    expect(scene.asked).toHaveLength(1)
    const victim = scene.get('/')
    expect(victim.said).toEqual(['respond 200 answer 2'])
    // And the attacker gets no other answer because of them.
    expect(scene.get('/').cached).toBe('hit')
  })

  test.each(['Path_Info', 'Remote_User', 'X_Language'])(
    '%s, which is left for the application, does not change what others get',
    (name) => {
      const scene = new Scene().always([MINUTE])
      const text = `GET / HTTP/1.1\r\nHost: a\r\n${name}: x\r\n\r\n`
      const trusting: RequestHandler = (_, reply) =>
        scene.handler(parseHead(text, { headerMap: 'dangerous' }), reply)
      new Client(CLIENT).request(trusting, text)
      expect(scene.get('/').cached).not.toBe('hit')
      expect(scene.asked).toHaveLength(2)
    },
  )

  it('a client’s address in Forwarded does not keep others from sharing an answer', () => {
    const scene = new Scene().always([MINUTE])
    scene.get('/', 'Forwarded: for=1.2.3.4;proto=https\r\n')
    expect(scene.get('/', 'Forwarded: for=5.6.7.8;proto=https\r\n').cached).toBe('hit')
    expect(scene.get('/', 'Forwarded: for=5.6.7.8;proto=http\r\n').cached).not.toBe('hit')
  })

  it('a client certificate keeps an answer from others', () => {
    const tls = { client: { certificate: {} } } as unknown as NonNullable<typeof CLIENT.tls>
    const scene = new Scene({ clientCertificates: true }).always([MINUTE])
    const client = new Client({ ...CLIENT, tls })
    client.request(scene.handler, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(client.cached).toBe('fwd=bypass')
    expect(scene.get('/').cached).toBe('fwd=uri-miss; stored')
  })

  it('the scheme is a part of the key', () => {
    const scene = new Scene().always([MINUTE])
    const secure: RequestHandler = (head, reply) => {
      head.secure = true
      return scene.handler(head, reply)
    }
    scene.get('/')
    const client = new Client(CLIENT)
    client.request(secure, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(client.cached).toBe('fwd=uri-miss; stored')
  })

  it('a flood of keys and variants stays within the size', () => {
    const scene = new Scene({ bytes: 256 * 1024 }).always([MINUTE, ['Vary', 'X']], 'x'.repeat(2000))
    for (let i = 0; i < 500; i++) scene.get(`/${'y'.repeat(300)}${i}`)
    for (let i = 0; i < 500; i++) scene.get('/', `X: ${i}\r\n`)
    expect(scene.memory.held).toBe(0)
    expect(scene.get('/', 'X: 499\r\n').cached).toBe('hit')
    expect(scene.get('/', 'X: 0\r\n').cached).toBe('fwd=vary-miss; stored')
    expect(scene.get(`/${'y'.repeat(300)}0`).cached).toBe('fwd=uri-miss; stored')
  })

  it('what is sent to slow readers is counted when the store has dropped it', () => {
    const scene = new Scene({ bytes: 1024 * 1024, largest: 400_000 })
    scene.always([MINUTE], 'x'.repeat(300_000))
    const clients: Client[] = []
    for (let i = 0; i < 10; i++) {
      scene.get(`/${i}`)
      const client = new Client(CLIENT)
      client.begin(scene.handler, `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`)
      clients.push(client)
    }
    // Then memory is full, and no more is stored.
    expect(scene.memory.full).toBe(true)
    expect(scene.memory.held).toBeLessThan(2_000_000)
    for (const client of clients) client.close(false)
    expect(scene.memory.held).toBe(0)
  })

  it('nothing is gathered while memory is full', () => {
    const scene = new Scene().always([MINUTE])
    scene.memory.add(scene.memory.limit)
    expect(scene.get('/').cached).toBe('fwd=uri-miss')
    scene.memory.add(-scene.memory.limit)
    expect(scene.get('/').cached).toBe('fwd=uri-miss; stored')
  })
})

describe('Vary', () => {
  it('keeps a variant for each combination of its fields', () => {
    const scene = new Scene().always([MINUTE, ['Vary', 'Accept-Language, X']])
    expect(scene.get('/', 'X: 1\r\n').cached).toBe('fwd=uri-miss; stored')
    expect(scene.get('/', 'X: 1\r\nAccept-Language: de\r\n').cached).toBe('fwd=vary-miss; stored')
    expect(scene.get('/', 'X: 1\r\n').cached).toBe('hit')
    expect(scene.get('/', 'X: \r\n').cached).toBe('fwd=vary-miss; stored')
    expect(scene.get('/').cached).toBe('fwd=vary-miss; stored')
    expect(scene.get('/', 'Accept-Language:  de\r\nX: 1\r\n').cached).toBe('hit')
  })

  it('takes lists of the same codings for one', () => {
    const scene = new Scene().always([MINUTE, ['Vary', 'Accept-Encoding']])
    scene.get('/', 'Accept-Encoding: gzip, deflate, br;q=0.9\r\n')
    expect(scene.get('/', 'Accept-Encoding: br,gzip;q=0.5,deflate\r\n').cached).toBe('hit')
    expect(scene.get('/', 'Accept-Encoding: br, gzip\r\n').cached).not.toBe('hit')
    expect(scene.get('/', 'Accept-Encoding: br, gzip, deflate;q=0\r\n').cached).not.toBe('hit')
  })

  it('forgets other variants if it changes', () => {
    const scene = new Scene().always([MINUTE])
    scene.get('/')
    scene.always([MINUTE, ['Vary', 'Cookie']])
    scene.get('/', 'Cache-Control: no-cache\r\nCookie: mine\r\n')
    expect(scene.get('/').cached).toBe('fwd=vary-miss; stored')
    expect(scene.get('/', 'Cookie: yours\r\n').cached).toBe('fwd=vary-miss; stored')
    expect(scene.get('/', 'Cookie: mine\r\n').cached).toBe('hit')
  })
})

describe('a stale response', () => {
  const validated = (control: string, status = 304) => {
    const scene = new Scene()
    scene.answer = (head) => {
      const fields: Field[] = [
        ['Cache-Control', control],
        ['ETag', '"x"'],
        ['X', String(scene.asked.length)],
      ]
      return head.get('if-none-match') === '"x"' ? { status, fields } : { fields, body: 'page' }
    }
    return scene
  }

  it('is used again if the application says that it has not changed', () => {
    const scene = validated('max-age=10')
    scene.get('/')
    vi.setSystemTime(NOW + 11_000)
    const second = scene.get('/')
    expect(second.said).toEqual(['respond 200 page'])
    expect(second.cached).toBe('fwd=stale; fwd-status=304')
    expect(second.field('x')).toBe('2')
    expect(second.field('age')).toBe('0')
    expect(scene.asked[1]!.log).toEqual(['begin', 'bodyEnd', 'closed true'])
    vi.setSystemTime(NOW + 20_000)
    expect(scene.get('/').cached).toBe('hit')
  })

  it('is asked about each time with no-cache, and each client’s own question is answered', () => {
    const scene = validated('no-cache')
    scene.get('/')
    expect(scene.get('/', 'If-None-Match: "x"\r\n').said).toEqual(['respond 304'])
    expect(scene.get('/', 'If-None-Match: "y"\r\n').said).toEqual(['respond 200 page'])
    expect(scene.get('/', 'Cache-Control: max-stale\r\n').said).toEqual(['respond 200 page'])
    expect(scene.asked).toHaveLength(4)
    expect(scene.asked[2]!.head.get('if-none-match')).toBe('"x"')
  })

  it('is used while it is asked for again, with stale-while-revalidate', async () => {
    const scene = new Scene()
    scene.answer = () => ({
      fields: [['Cache-Control', 'max-age=10, stale-while-revalidate=30']],
      body: `page ${scene.asked.length}`,
    })
    scene.get('/')
    vi.setSystemTime(NOW + 20_000)
    expect(scene.get('/').said).toEqual(['respond 200 page 1'])
    expect(scene.get('/').said).toEqual(['respond 200 page 1'])
    await later()
    expect(scene.asked).toHaveLength(2)
    expect(scene.get('/').said).toEqual(['respond 200 page 2'])
    vi.setSystemTime(NOW + 200_000)
    expect(scene.get('/').said).toEqual(['respond 200 page 3'])
  })

  it('is used instead of an error, with stale-if-error', () => {
    const scene = new Scene().always([['Cache-Control', 'max-age=10, stale-if-error=60']])
    scene.get('/')
    vi.setSystemTime(NOW + 20_000)
    scene.answer = () => ({ status: 503, body: 'sorry' })
    const client = scene.get('/')
    expect(client.said).toEqual(['respond 200 page'])
    expect(client.cached).toBe('hit; detail=stale-if-error')
    scene.answer = null
    const refused = scene.get('/')
    scene.asked.at(-1)!.reply.refuse(502)
    expect(refused.said).toEqual(['respond 200 page'])
    vi.setSystemTime(NOW + 100_000)
    scene.answer = () => ({ status: 503, body: 'sorry' })
    expect(scene.get('/').said).toEqual(['respond 503 sorry'])
  })

  it('with must-revalidate is used in neither case', async () => {
    const control = 'max-age=10, must-revalidate, stale-if-error=60, stale-while-revalidate=60'
    const scene = new Scene().always([['Cache-Control', control]])
    scene.get('/')
    vi.setSystemTime(NOW + 20_000)
    scene.answer = () => ({ status: 503, body: 'sorry' })
    expect(scene.get('/').said).toEqual(['respond 503 sorry'])
  })
})

describe('the same request of several clients', () => {
  it('is one request to the application', async () => {
    const scene = new Scene()
    const clients = [scene.get('/'), scene.get('/'), scene.get('/', '', 'GET')]
    expect(scene.asked).toHaveLength(1)
    respond(scene.asked[0]!.reply, { fields: [MINUTE], body: 'page' })
    expect(clients[0]!.said).toEqual(['respond 200 page'])
    await later()
    for (const client of clients.slice(1)) {
      expect(client.said).toEqual(['respond 200 page'])
      expect(client.cached).toBe('fwd=uri-miss; collapsed')
    }
    expect(scene.asked).toHaveLength(1)
  })

  it('is several if the response cannot be stored, at the same time, and later none waits', async () => {
    const scene = new Scene()
    const clients = [scene.get('/'), scene.get('/'), scene.get('/')]
    respond(scene.asked[0]!.reply, { fields: [['Cache-Control', 'private']], body: 'mine' })
    await later()
    expect(scene.asked).toHaveLength(3)
    expect(clients[1]!.said).toEqual([])
    const more = [scene.get('/'), scene.get('/')]
    expect(scene.asked).toHaveLength(5)
    respond(scene.asked[3]!.reply, { fields: [MINUTE], body: 'page' })
    expect(more[0]!.said).toEqual(['respond 200 page'])
    expect(scene.get('/').cached).toBe('hit')
  })

  it('is several if the first fails, or is cut off', async () => {
    for (const fail of [
      (reply: Reply) => reply.refuse(502),
      (reply: Reply) => {
        reply.start(responseHead(200, [MINUTE]), span('pa'))
        reply.abort()
      },
      (reply: Reply) => {
        reply.start(responseHead(200, [MINUTE], 4), span('pa'))
        reply.finish()
      },
    ]) {
      const scene = new Scene()
      scene.get('/')
      const waiting = [scene.get('/'), scene.get('/')]
      fail(scene.asked[0]!.reply)
      await later()
      expect(scene.asked).toHaveLength(3)
      respond(scene.asked[2]!.reply, { fields: [MINUTE], body: 'page' })
      expect(waiting[1]!.said).toEqual(['respond 200 page'])
      expect(scene.memory.held).toBe(0)
    }
  })

  it('goes on if its client leaves, at the pace of the application', async () => {
    const scene = new Scene()
    const first = scene.get('/')
    const second = scene.get('/')
    const { reply, log } = scene.asked[0]!
    reply.start(responseHead(200, [MINUTE]), span('pa'))
    first.close(false)
    await later()
    expect(log).toEqual(['begin', 'bodyEnd', 'written 2'])
    reply.data(span('ge'))
    await later()
    expect(scene.memory.held).toBe(4)
    reply.finish()
    await later()
    expect(second.said).toEqual(['respond 200 page'])
    expect(log.slice(3)).toEqual(['written 2', 'closed true'])
    expect(scene.memory.held).toBe(0)
  })

  it('ends if all clients leave', async () => {
    const scene = new Scene()
    const clients = [scene.get('/'), scene.get('/')]
    clients[0]!.close(false)
    expect(scene.asked[0]!.log).toEqual(['begin', 'bodyEnd'])
    clients[1]!.close(false)
    expect(scene.asked[0]!.log).toEqual(['begin', 'bodyEnd', 'closed false'])
    expect(scene.get('/').said).toEqual([])
    expect(scene.asked).toHaveLength(2)
  })

  it('waits for a limited time', async () => {
    const scene = new Scene({ wait: 2 })
    const first = scene.get('/')
    scene.get('/')
    vi.advanceTimersByTime(2001)
    await later()
    expect(scene.asked).toHaveLength(2)
    respond(scene.asked[0]!.reply, { fields: [MINUTE], body: 'page' })
    expect(first.said).toEqual(['respond 200 page'])
  })

  it('without anybody who waits has the client’s pace', () => {
    const scene = new Scene()
    const client = new Client(CLIENT)
    client.request(scene.handler, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const { reply, log } = scene.asked[0]!
    reply.start(responseHead(200, [MINUTE]), span('page'))
    expect(log).toEqual(['begin', 'bodyEnd'])
    client.sink!.written(3)
    return later().then(() => expect(log).toEqual(['begin', 'bodyEnd', 'written 3']))
  })

  it('streams a response that turns out to be too large', async () => {
    const scene = new Scene({ largest: 10 })
    const client = scene.get('/')
    const waiting = scene.get('/')
    const { reply } = scene.asked[0]!
    reply.start(responseHead(200, [MINUTE]), span('12345678'))
    reply.data(span('9012345'))
    await later()
    expect(scene.asked).toHaveLength(2)
    reply.finish()
    expect(client.said).toEqual(['start 200 12345678', 'data 9012345', 'finish'])
    expect(waiting.said).toEqual([])
    expect(scene.memory.held).toBe(0)
  })
})

describe('a change', () => {
  test.each([
    ['POST', 200, true],
    ['PUT', 204, true],
    ['DELETE', 303, true],
    ['BREW', 200, true],
    ['POST', 404, false],
    ['POST', 500, false],
    ['OPTIONS', 200, false],
  ])('by %s with %d drops the response: %s', (method, status, drops) => {
    const scene = new Scene().always([MINUTE])
    scene.get('/a?b')
    scene.answer = () => ({ status })
    expect(scene.get('/a?b', '', method).cached).toBe('fwd=method')
    scene.always([MINUTE])
    expect(scene.get('/a?b').cached === 'hit').toBe(!drops)
  })

  it('drops what its answer names, of the same origin', () => {
    const scene = new Scene().always([MINUTE])
    for (const target of ['/list', '/item', '/other']) scene.get(target)
    scene.answer = () => ({
      status: 201,
      fields: [
        ['Location', 'http://a/item'],
        ['Content-Location', 'http://b/other'],
      ],
    })
    scene.get('/list', '', 'POST')
    scene.always([MINUTE])
    expect(scene.get('/item').cached).not.toBe('hit')
    expect(scene.get('/other').cached).toBe('hit')
  })

  it('keeps a response that is on its way from being stored', async () => {
    const scene = new Scene()
    scene.get('/')
    const waiting = scene.get('/')
    scene.get('/', '', 'POST')
    respond(scene.asked[1]!.reply, { status: 204 })
    respond(scene.asked[0]!.reply, { fields: [MINUTE], body: 'old' })
    await later()
    expect(waiting.said).toEqual([])
    expect(scene.asked).toHaveLength(3)
    respond(scene.asked[2]!.reply, { fields: [MINUTE], body: 'new' })
    expect(scene.get('/').said).toEqual(['respond 200 new'])
  })
})

describe('PURGE', () => {
  const purge = (options: Partial<CacheOptions>, target: string) => {
    const scene = new Scene(options).always([MINUTE])
    for (const one of ['/a', '/a?b', '/ab', '/c']) scene.get(one)
    return { scene, said: scene.get(target, '', 'PURGE').said }
  }

  it('is refused unless it comes from an address that is allowed', () => {
    expect(purge({}, '/a').said).toEqual(['refuse 405 close'])
    const { scene, said } = purge({ purgeFrom: ['10.0.0.0/8'] }, '/a')
    expect(said).toEqual(['refuse 403 close'])
    expect(scene.get('/a').cached).toBe('hit')
    expect(scene.asked).toHaveLength(4)
  })

  it('drops one resource, or all below a path', () => {
    const purgeFrom = ['192.0.2.0/24']
    const one = purge({ purgeFrom }, '/a')
    expect(one.said).toEqual(['want', 'respond 200 Purged 1 response.'])
    expect(one.scene.get('/a').cached).toBe('fwd=uri-miss; stored')
    expect(one.scene.get('/a?b').cached).toBe('hit')
    expect(purge({ purgeFrom }, '/a*').said).toEqual(['want', 'respond 200 Purged 3 responses.'])
    expect(purge({ purgeFrom }, '/*').said).toEqual(['want', 'respond 200 Purged 4 responses.'])
    expect(purge({ purgeFrom }, '/x').said).toEqual(['want', 'respond 200 Purged 0 responses.'])
  })
})

describe('the caches of other acceptors', () => {
  function linked() {
    const told: Dropped[] = []
    const link: DropsLink = { tell: (dropped) => told.push(dropped), receive: null }
    const scene = new Scene({ others: link, purgeFrom: ['*'] }).always([MINUTE])
    return { told, link, scene }
  }

  it('are told what this one has dropped, in few messages', () => {
    const { told, scene } = linked()
    scene.get('/a', '', 'POST')
    scene.get('/b', '', 'POST')
    scene.get('/c*', '', 'PURGE')
    expect(told).toEqual([])
    vi.advanceTimersByTime(20)
    expect(told).toEqual([
      { keys: ['http a /a ', 'http a /b '], beginnings: ['http a /c', 'https a /c'] },
    ])
    for (let i = 0; i < 5000; i++) scene.get(`/${i}`, '', 'POST')
    vi.advanceTimersByTime(20)
    expect(told).toHaveLength(2)
    expect(told[1]!.beginnings).toEqual([''])
    expect(told[1]!.keys.length).toBeLessThan(1001)
  })

  it('tell this one, which then tells nobody', () => {
    const { told, link, scene } = linked()
    for (const target of ['/a', '/b', '/c']) scene.get(target)
    link.receive!({ keys: ['http a /a '], beginnings: [] })
    expect(scene.get('/a').cached).toBe('fwd=uri-miss; stored')
    link.receive!({ keys: [], beginnings: ['http a /b'] })
    expect(scene.get('/b').cached).toBe('fwd=uri-miss; stored')
    expect(scene.get('/c').cached).toBe('hit')
    link.receive!({ keys: [], beginnings: [''] })
    expect(scene.get('/c').cached).toBe('fwd=uri-miss; stored')
    vi.advanceTimersByTime(20)
    expect(told).toEqual([])
  })
})
