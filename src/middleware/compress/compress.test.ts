import { Buffer } from 'node:buffer'
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Answer,
  callForAnswer,
  environOf,
  type TestRequest,
} from '../../../tests/support/call-application.ts'
import { acceptedEncodings } from '../../content-coding/accepted-encodings.ts'
import { CODINGS, type Encoding } from '../../content-coding/coding.ts'
import { isCompressible } from '../../content-coding/compressible.ts'
import { Call } from '../../wsgi/call.ts'
import { checkHead, type HeadFacts } from '../../wsgi/head-rules.ts'
import type { ResponseHeaders, WSGIApplication, WSGIBody, WSGIFunction } from '../../wsgi/types.ts'
import { validator } from '../../wsgi/validator.ts'
import { type CompressOptions, compress } from './compress.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const TEXT = 'It is a truth universally acknowledged. '.repeat(100)
const hasZstd = CODINGS.zstd !== null
const available = (['br', 'zstd', 'gzip'] as const).filter((encoding) => CODINGS[encoding] !== null)

const { zstdDecompressSync, createZstdDecompress } = zlib as unknown as {
  zstdDecompressSync: (data: Uint8Array) => Buffer
  createZstdDecompress: () => Transform
}
const decoders = {
  br: zlib.brotliDecompressSync,
  gzip: zlib.gunzipSync,
  zstd: zstdDecompressSync,
} as Record<string, (data: Uint8Array) => Buffer>

function decoded(answer: Answer): string {
  const encoding = answer.header('Content-Encoding')
  if (encoding === undefined) return answer.body
  return decoders[encoding]!(Buffer.from(answer.body, 'latin1')).toString('latin1')
}

function page(
  headers: ResponseHeaders = [['Content-Type', 'text/plain']],
  body: () => WSGIBody = () => [bytes(TEXT)],
  status = '200 OK',
): WSGIFunction {
  return (_environ, startResponse) => {
    startResponse(status, headers)
    return body()
  }
}

function ask(
  app: WSGIApplication,
  accepted: string | null = 'gzip',
  options: CompressOptions = {},
  request: TestRequest = {},
) {
  const headers: [string, string][] = accepted === null ? [] : [['Accept-Encoding', accepted]]
  return callForAnswer(compress(options)(app), { headers, ...request })
}

/** A client that reads when it likes, and leaves when it likes. */
function client(app: WSGIApplication, encoding: Encoding = 'gzip', options: CompressOptions = {}) {
  const pieces: Uint8Array[] = []
  const told = {
    welcome: true,
    complete: false,
    error: undefined as unknown,
    complaints: [] as unknown[],
  }
  let ready: (() => void) | null = null
  let more: (() => void) | null = null
  const changed = () => more?.()
  const call = new Call<HeadFacts>(
    compress(options)(app),
    environOf({ headers: [['Accept-Encoding', encoding]] }),
    {
      checkHead,
      respond: (_head, body) => {
        pieces.push(body)
        told.complete = true
        changed()
      },
      start: () => {},
      data: (chunk) => {
        pieces.push(chunk)
        changed()
        return told.welcome
      },
      whenReady: (callback) => {
        if (told.welcome) setImmediate(callback)
        else ready = callback
      },
      finish: () => {
        told.complete = true
        changed()
      },
      failed: (error) => {
        told.error = error
        changed()
      },
      broken: (error) => {
        told.error = error
        changed()
      },
      complain: (error) => told.complaints.push(error),
    },
    false,
  )
  call.run()
  return {
    call,
    pieces,
    told,
    until: async (condition: () => boolean) => {
      while (!condition()) await new Promise<void>((resolve) => (more = resolve))
    },
    resume: () => {
      told.welcome = true
      ready?.()
    },
  }
}

test.each(available)(
  'a body at hand is compressed in one go by %s, and has its length',
  async (encoding) => {
    for (const body of [
      [bytes(TEXT)],
      [bytes(TEXT.slice(0, 500)), bytes(''), bytes(TEXT.slice(500))],
    ]) {
      const answer = await ask(
        page(undefined, () => body),
        encoding,
      )
      expect(answer.header('Content-Encoding')).toBe(encoding)
      expect(answer.header('Vary')).toBe('Accept-Encoding')
      expect(answer.header('Content-Length')).toBe(String(answer.body.length))
      expect(answer.pieces.length).toBe(1)
      expect(answer.body.length).toBeLessThan(300)
      expect(decoded(answer)).toBe(TEXT)
    }
  },
)

test.each(available)(
  'any pieces come out of %s as they went in, whatever the body is made of',
  async (encoding) => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 12 })
    const kind = fc.constantFrom('array', 'sync', 'async', 'late', 'written')
    await fc.assert(
      fc.asyncProperty(pieces, kind, fc.boolean(), async (given, kind, told) => {
        const total = given.reduce((sum, piece) => sum + piece.length, 0)
        const headers: ResponseHeaders = [['Content-Type', 'text/html; charset=utf-8']]
        if (told) headers.push(['Content-Length', String(total)])
        const apps: Record<string, WSGIApplication> = {
          array: page(headers, () => given),
          sync: page(headers, function* () {
            yield* given
          }),
          async: page(headers, async function* () {
            yield* given
          }),
          late: function* (_environ, startResponse) {
            startResponse('200 OK', headers)
            yield* given
          },
          written: (_environ, startResponse) => {
            const write = startResponse('200 OK', headers)
            for (const piece of given.slice(1)) void write(piece)
            return []
          },
        }
        const expected = kind === 'written' ? given.slice(1) : given
        if (kind === 'written' && told) headers[1]![1] = String(total - (given[0]?.length ?? 0))
        const request = { headers: [['Accept-Encoding', encoding]] as [string, string][] }
        const answer = await callForAnswer(
          validator(compress({ threshold: 0 })(validator(apps[kind]!))),
          request,
        )
        expect([answer.error, answer.complete]).toEqual([undefined, true])
        expect(decoded(answer)).toBe(Buffer.concat(expected).toString('latin1'))
      }),
      { numRuns: 60 },
    )
  },
)

test.each(available)(
  'each piece of a stream leaves by %s before the next is asked for',
  async (encoding) => {
    let release: () => void = () => {}
    const app = page([['Content-Type', 'text/plain']], async function* () {
      for (const word of ['one ', 'two ', 'three']) {
        yield bytes(word)
        await new Promise<void>((resolve) => (release = resolve))
      }
    })
    const decoder = {
      br: () => zlib.createBrotliDecompress(),
      gzip: () => zlib.createGunzip(),
      zstd: () => createZstdDecompress(),
    }[encoding]()
    let text = ''
    decoder.on('data', (piece) => (text += piece))
    const reader = client(app, encoding)
    let fed = 0
    for (const expected of ['one ', 'one two ', 'one two three']) {
      await expect
        .poll(() => {
          for (; fed < reader.pieces.length; fed++) decoder.write(reader.pieces[fed])
          return text
        })
        .toBe(expected)
      release()
    }
    await reader.until(() => reader.told.complete)
  },
)

test('small pieces in quick succession are compressed together, and what comes before an error is sent', async () => {
  const app = page([PLAIN], async function* () {
    for (let i = 0; i < 2000; i++) yield bytes(`line ${i}\n`)
    throw new Error('lost')
  })
  const answer = await ask(app)
  expect([answer.complete, String(answer.error)]).toEqual([false, 'Error: lost'])
  expect(answer.pieces.length).toBeLessThan(10)
  const cut = { finishFlush: zlib.constants.Z_SYNC_FLUSH }
  const text = zlib.gunzipSync(Buffer.from(answer.body, 'latin1'), cut).toString()
  expect(text).toBe(Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join(''))
})

test('a large body at hand is streamed, and is right', async () => {
  const large = Buffer.alloc(3_000_000, TEXT)
  const answer = await ask(page(undefined, () => [large]))
  expect([answer.header('Content-Encoding'), answer.header('Content-Length')]).toEqual([
    'gzip',
    undefined,
  ])
  expect(decoded(answer) === large.toString('latin1')).toBe(true)
})

test.each([
  ['br, gzip', 'br'],
  ['gzip, br;q=0.5', 'gzip'],
  ['*', 'br'],
  ['gzip;q=0, *;q=0.1', 'br'],
  ['identity;q=0, gzip;q=0.2', 'gzip'],
  ['GZip', 'gzip'],
  ['identity, gzip;q=0.9', undefined],
  ['deflate, compress', undefined],
  ['*;q=0', undefined],
  ['gzip;q=0', undefined],
  ['gzip;q=nonsense', undefined],
  ['', undefined],
  [null, undefined],
])(
  'Accept-Encoding: %s gets %s, and others are told that it varies',
  async (accepted, encoding) => {
    const answer = await ask(page(), accepted)
    expect(answer.header('Content-Encoding')).toBe(encoding)
    expect(answer.header('Vary')).toBe('Accept-Encoding')
    expect(decoded(answer)).toBe(TEXT)
  },
)

test('of what a client likes equally the first of the options is taken', async () => {
  const answer = await ask(page(), 'br, gzip', { encodings: ['gzip', 'br'] })
  expect(answer.header('Content-Encoding')).toBe('gzip')
  expect(
    (await ask(page(), 'br', { encodings: ['gzip'] })).header('Content-Encoding'),
  ).toBeUndefined()
})

test('whatever Accept-Encoding is, what is chosen was offered', () => {
  fc.assert(
    fc.property(fc.string(), (header) => {
      for (const encoding of acceptedEncodings(header, ['br', 'gzip']))
        expect(['br', 'gzip', 'identity']).toContain(encoding)
    }),
  )
})

const PLAIN: [string, string] = ['Content-Type', 'text/plain']

test.each<[string, ResponseHeaders, (() => WSGIBody) | undefined, string?]>([
  ['a small body', [PLAIN], () => [bytes('x'.repeat(1023))]],
  ['a small Content-Length', [PLAIN, ['Content-Length', '3']], () => [bytes('abc')].values()],
  ['an empty body', [PLAIN], () => []],
  ['an image', [['Content-Type', 'image/png']], undefined],
  ['no type', [], undefined],
  ['an event stream', [['Content-Type', 'text/event-stream; charset=utf-8']], undefined],
  ['what is encoded', [PLAIN, ['content-encoding', 'br']], undefined],
  ['no-transform', [PLAIN, ['Cache-Control', 'public, No-Transform']], undefined],
  [
    'part of a file',
    [PLAIN, ['Content-Range', 'bytes 0-3999/5000']],
    undefined,
    '206 Partial Content',
  ],
  ['204', [PLAIN], () => [], '204 No Content'],
])('%s is left as it is', async (_what, headers, body, status) => {
  const app = page(headers, body, status)
  const [plain, answer] = [await callForAnswer(app), await ask(app)]
  expect([answer.status, answer.headers, answer.body]).toEqual([
    plain.status,
    plain.headers,
    plain.body,
  ])
})

test('a body that compression would make larger is left as it is', async () => {
  const random = Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 7919 * (i % 251)) & 255))
  const noise = zlib.deflateRawSync(random, { level: 9 })
  const answer = await ask(
    page(undefined, () => [noise]),
    'gzip',
    { threshold: 0 },
  )
  expect(answer.header('Content-Encoding')).toBeUndefined()
  expect(answer.header('Vary')).toBe('Accept-Encoding')
  expect(answer.body).toBe(noise.toString('latin1'))
})

test('what was true of the bytes as they were goes, and a strong ETag becomes weak', async () => {
  const headers: ResponseHeaders = [
    PLAIN,
    ['Content-Length', String(TEXT.length)],
    ['ETag', '"a"'],
    ['Content-MD5', 'x'],
    ['Digest', 'x'],
    ['Repr-Digest', 'x'],
    ['Content-Digest', 'x'],
    ['Accept-Ranges', 'bytes'],
    ['Vary', 'Origin'],
    ['X-Other', 'stays'],
  ]
  const streamed = await ask(page(headers, () => [bytes(TEXT)].values()))
  expect(streamed.headers).toEqual([
    PLAIN,
    ['ETag', 'W/"a"'],
    ['Vary', 'Origin'],
    ['X-Other', 'stays'],
    ['Content-Encoding', 'gzip'],
    ['Vary', 'Accept-Encoding'],
  ])
  expect(decoded(streamed)).toBe(TEXT)
  expect((await ask(page([PLAIN, ['ETag', 'W/"a"']]))).header('ETag')).toBe('W/"a"')
  for (const vary of ['*', 'Origin, accept-encoding'])
    expect((await ask(page([PLAIN, ['Vary', vary]]))).header('Vary')).toBe(vary)
})

test('a 304 has the tag by which the client knows the compressed response', async () => {
  const app = page([['ETag', '"a"']], () => [], '304 Not Modified')
  const condition = (tag: string, accepted = 'gzip'): TestRequest => ({
    headers: [
      ['Accept-Encoding', accepted],
      ['If-None-Match', tag],
    ],
  })
  for (const [tag, known] of [
    ['W/"a"', 'W/"a"'],
    ['"x", W/"a"', 'W/"a"'],
    ['"a"', '"a"'],
  ] as const) {
    const answer = await ask(app, null, {}, condition(tag))
    expect([answer.status, ...answer.headers]).toEqual([
      '304 Not Modified',
      ['ETag', known],
      ['Vary', 'Accept-Encoding'],
    ])
  }
  const plain = await ask(app, null, {}, condition('"a"', 'identity'))
  expect(plain.headers).toEqual([
    ['ETag', '"a"'],
    ['Vary', 'Accept-Encoding'],
  ])
})

test('HEAD has the headers of GET as far as they are known', async () => {
  const head = { method: 'HEAD' }
  const told: ResponseHeaders = [PLAIN, ['Content-Length', '4000'], ['ETag', '"a"']]
  for (const body of [() => [], () => [bytes(TEXT)].values()]) {
    const answer = await ask(page(told, body), 'gzip', {}, head)
    expect([answer.body, answer.complete, answer.complaints]).toEqual(['', true, []])
    expect(answer.headers).toEqual([
      PLAIN,
      ['ETag', 'W/"a"'],
      ['Content-Encoding', 'gzip'],
      ['Vary', 'Accept-Encoding'],
    ])
  }
  const unknown = await ask(
    page([PLAIN], () => []),
    'gzip',
    {},
    head,
  )
  expect(unknown.headers).toEqual([PLAIN, ['Vary', 'Accept-Encoding']])
  const small = await ask(
    page([PLAIN, ['Content-Length', '5']], () => []),
    'gzip',
    {},
    head,
  )
  expect(small.header('Content-Length')).toBe('5')
})

test('an application that writes is compressed, in order, and what it returns comes after', async () => {
  const app: WSGIApplication = async (_environ, startResponse) => {
    const write = startResponse('200 OK', [PLAIN])
    await write(bytes(''))
    void write(bytes('one '))
    void write(bytes('two '))
    await write(bytes('three '))
    return [bytes('four')]
  }
  const answer = await ask(app)
  expect([answer.header('Content-Encoding'), answer.complete]).toEqual(['gzip', true])
  expect(decoded(answer)).toBe('one two three four')
})

test('what is written within the body, against the rules, is not lost', async () => {
  const app: WSGIApplication = (_environ, startResponse) => {
    const write = startResponse('200 OK', [PLAIN])
    return (async function* () {
      yield bytes('one ')
      await write(bytes('two '))
      yield bytes('three ')
      void write(bytes('four'))
    })()
  }
  const words = decoded(await ask(app)).match(/one|two|three|four|\S+/g)
  expect(words?.sort()).toEqual(['four', 'one', 'three', 'two'])
})

test('write() resolves when the client has taken what was written', async () => {
  let written = 0
  const app: WSGIApplication = async (_environ, startResponse) => {
    const write = startResponse('200 OK', [PLAIN])
    for (; written < 3; written++) await write(bytes('piece'))
    return []
  }
  const reader = client(app)
  reader.told.welcome = false
  await reader.until(() => reader.pieces.length > 0)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(written).toBe(0)
  reader.resume()
  await reader.until(() => reader.told.complete)
  expect(zlib.gunzipSync(Buffer.concat(reader.pieces)).toString()).toBe('piecepiecepiece')
})

test('a client that does not read holds the application up', async () => {
  let asked = 0
  const noise = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * i * 31 + (i >> 3)) & 255))
  const app = page([PLAIN], function* () {
    for (; asked < 50; asked++) yield noise
  })
  const reader = client(app)
  reader.told.welcome = false
  await reader.until(() => reader.pieces.length > 0)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(asked).toBeLessThan(3)
  reader.resume()
  await reader.until(() => reader.told.complete)
  expect(zlib.gunzipSync(Buffer.concat(reader.pieces)).length).toBe(50 * 4096)
})

test.each(['while the body is waited for', 'while it is sent'])(
  'a client that goes away %s has the body closed once and a generator told to return',
  async (when) => {
    const seen = { closed: 0, returned: 0 }
    const app = page([PLAIN], () => {
      const body = (async function* () {
        try {
          for (;;) {
            yield bytes('piece')
            if (when === 'while the body is waited for') await new Promise(() => {})
          }
        } finally {
          seen.returned++
        }
      })()
      return Object.assign(body, { close: () => seen.closed++ })
    })
    const reader = client(app)
    if (when === 'while it is sent') reader.told.welcome = false
    await reader.until(() => reader.pieces.length > 0)
    reader.call.cancel()
    await expect.poll(() => seen.closed).toBe(1)
    if (when === 'while it is sent') await expect.poll(() => seen.returned).toBe(1)
    await new Promise(setImmediate)
    expect(reader.told).toMatchObject({ complete: false, error: undefined, complaints: [] })
    expect(seen.closed).toBe(1)
  },
)

test('a client that goes away while the response is compressed in one go has the body closed', async () => {
  let closed = 0
  const app = page([PLAIN], () => Object.assign([bytes(TEXT)], { close: () => closed++ }))
  const reader = client(app)
  reader.call.cancel()
  await expect.poll(() => closed).toBe(1)
  expect(reader.pieces).toEqual([])
})

test('close() of the body runs once in every other case', async () => {
  for (const size of [10, 5000, 2_000_000]) {
    for (const make of [
      (pieces: Uint8Array[]) => pieces,
      (pieces: Uint8Array[]) => pieces.values(),
    ]) {
      let closed = 0
      const body = () => Object.assign(make([new Uint8Array(size)]), { close: () => closed++ })
      expect((await ask(page([PLAIN], body))).complete).toBe(true)
      expect(closed).toBe(1)
    }
  }
})

test('an error in the body breaks the response off, with the body closed', async () => {
  let closed = 0
  const app = page([PLAIN], () =>
    Object.assign(
      (function* () {
        yield bytes(TEXT)
        throw new Error('lost')
      })(),
      { close: () => closed++ },
    ),
  )
  const answer = await ask(app)
  expect([answer.complete, String(answer.error), closed]).toEqual([false, 'Error: lost', 1])
  expect(answer.pieces.length).toBeGreaterThan(0)
})

test('an error handler replaces a head until a byte was given, and not after', async () => {
  const early: WSGIApplication = function* (_environ, startResponse) {
    startResponse('200 OK', [PLAIN])
    yield bytes('')
    startResponse('500 Oops', [['Content-Type', 'text/html']], new Error('early'))
    yield bytes(TEXT)
  }
  const answer = await ask(early)
  expect([answer.status, answer.header('Content-Encoding'), decoded(answer)]).toEqual([
    '500 Oops',
    'gzip',
    TEXT,
  ])
  const late: WSGIApplication = function* (_environ, startResponse) {
    startResponse('200 OK', [PLAIN])
    yield bytes(TEXT)
    startResponse('500 Oops', [['Content-Type', 'text/html']], new Error('late'))
    yield bytes(TEXT)
  }
  const lateAndAsync: WSGIApplication = (environ, startResponse) => {
    const inner = late as unknown as (...args: unknown[]) => Iterable<Uint8Array>
    return (async function* () {
      yield* inner(environ, startResponse)
    })()
  }
  for (const app of [late, lateAndAsync]) {
    const broken = await ask(app)
    expect([broken.status, broken.complete, String(broken.error)]).toEqual([
      '200 OK',
      false,
      'Error: late',
    ])
    expect(broken.pieces.length).toBeGreaterThan(0)
  }
})

test('a body that is not as long as was declared is seen as without compression', async () => {
  const headers: ResponseHeaders = [PLAIN, ['Content-Length', '5000']]
  for (const body of [() => [bytes(TEXT)], () => [bytes(TEXT)].values()]) {
    const answer = await ask(page(headers, body))
    expect([answer.complete, String(answer.error)]).toEqual([
      false,
      expect.stringContaining('gave 4000 bytes but declared a Content-Length of 5000'),
    ])
  }
  const long = await ask(page([PLAIN, ['Content-Length', '2000']], () => [bytes(TEXT)].values()))
  expect(decoded(long)).toBe(TEXT.slice(0, 2000))
  const written: WSGIApplication = (_environ, startResponse) => {
    startResponse('200 OK', [PLAIN, ['Content-Length', '2000']])(bytes(TEXT))
    return []
  }
  expect(String((await ask(written)).error)).toContain('gave more than its Content-Length of 2000')
})

test('violations of the contract are refused as without the middleware', async () => {
  const giving = (body: unknown, headers: ResponseHeaders = [PLAIN]) =>
    page(headers, () => body as WSGIBody)
  const apps: [WSGIApplication, RegExp][] = [
    [page([PLAIN], undefined, '200'), /must have a space after its number/],
    [giving([], [['Connection', 'close']]), /hop-by-hop header/],
    [giving(bytes('x')), /must return an iterable/],
    [giving(null), /must return an iterable/],
    [giving(['x']), /must be made of Uint8Array/],
    [page([PLAIN], () => ['x'].values() as unknown as WSGIBody), /must be made of Uint8Array/],
    [giving([], null as unknown as ResponseHeaders), /the headers must be an array/],
    [() => [bytes('x')], /without having called startResponse/],
    [() => [bytes('x')].values(), /without having called startResponse/],
  ]
  for (const accepted of ['gzip', null]) {
    for (const [app, message] of apps) {
      const answer = await ask(app, accepted)
      expect([answer.status, String(answer.error)]).toEqual([
        '500 Internal Server Error',
        expect.stringMatching(message),
      ])
    }
  }
})

test('an application that throws after it has written is broken off', async () => {
  for (const app of [
    ((_environ, startResponse) => {
      startResponse('200 OK', [PLAIN])(bytes('x'))
      throw new Error('sync')
    }) as WSGIApplication,
    (async (_environ, startResponse) => {
      await startResponse('200 OK', [PLAIN])(bytes('x'))
      throw new Error('async')
    }) as WSGIApplication,
  ]) {
    const answer = await ask(app)
    expect(answer.complete).toBe(false)
    expect(String(answer.error)).toMatch(/^Error: (a?sync)$/)
  }
})

test('types can be chosen', async () => {
  const options = { types: (type: string) => type === 'image/png' }
  expect(
    (await ask(page([['Content-Type', 'image/png']]), 'gzip', options)).header('Content-Encoding'),
  ).toBe('gzip')
  expect((await ask(page(), 'gzip', options)).header('Content-Encoding')).toBeUndefined()
  const events = page([['Content-Type', 'text/event-stream']])
  expect(
    (await ask(events, 'gzip', { types: () => true })).header('Content-Encoding'),
  ).toBeUndefined()
})

test('text is worth compressing, and what is compressed is not', () => {
  for (const type of [
    'text/html; charset=utf-8',
    'TEXT/CSS',
    'application/json',
    'application/problem+json',
    'application/javascript',
    'image/svg+xml',
    'application/wasm',
    'font/ttf',
    'application/atom+xml;charset=utf-8',
  ])
    expect([type, isCompressible(type)]).toEqual([type, true])
  for (const type of [
    'image/png',
    'image/webp',
    'video/mp4',
    'audio/ogg',
    'font/woff2',
    'application/zip',
    'application/octet-stream',
    'application/pdf',
    'text/event-stream',
    'multipart/form-data',
    'application/jsonx',
    '',
  ])
    expect([type, isCompressible(type)]).toEqual([type, false])
})

test.each([
  [
    { encodings: ['deflate'] },
    /^compress: encodings must be a list of 'br', 'zstd' and 'gzip', without "deflate"$/,
  ],
  [{ threshold: -1 }, /^compress: threshold must be a number of bytes, 0 or more, not -1$/],
  [{ level: { gzip: 10 } }, /^compress: level.gzip must be a whole number from 1 to 9, not 10$/],
  [{ level: { br: 1.5 } }, /level.br must be a whole number from 0 to 11/],
  [{ types: /x/ }, /types must be a function/],
])('the options %j are refused at set-up', (options, message) => {
  expect(() => compress(options as unknown as CompressOptions)).toThrow(
    expect.objectContaining({ code: 'bad-option', message: expect.stringMatching(message) }),
  )
})

test.skipIf(hasZstd)(
  'zstd is refused by name, and left out by default, where Node has none',
  async () => {
    expect(() => compress({ encodings: ['zstd'] })).toThrow(/zstd needs Node 22.15 or later/)
    expect((await ask(page(), 'zstd')).header('Content-Encoding')).toBeUndefined()
  },
)

test('a list of codings that is longer than anybody means is not gone through', () => {
  expect(acceptedEncodings(`gzip,${'a,'.repeat(1000)}`, ['br', 'gzip'])).toEqual([
    'gzip',
    'identity',
  ])
  expect(acceptedEncodings(`gzip,${'a,'.repeat(200_000)}`, ['br', 'gzip'])).toEqual(['identity'])
})
