import { expect, test } from 'vitest'
import { callForAnswer, type TestRequest } from '../../../tests/support/call-application.ts'
import type { ResponseHeaders, WSGIApplication, WSGIBody } from '../../wsgi/types.ts'
import { type ConditionalOptions, conditional } from './conditional.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const DATE = 'Sat, 03 Feb 2024 04:05:06 GMT'
const LATER = 'Sun, 04 Feb 2024 00:00:00 GMT'

/** An application with that head, and a body that counts its closings. */
function page(
  headers: ResponseHeaders = [],
  body: () => WSGIBody = () => [bytes('hello')],
  status = '200 OK',
) {
  const seen = { closed: 0, pieces: 0 }
  const app: WSGIApplication = (_environ, startResponse) => {
    startResponse(status, [['Content-Type', 'text/plain'], ...headers])
    return Object.assign(body(), { close: () => seen.closed++ })
  }
  return { app, seen }
}

function ask(
  app: WSGIApplication,
  headers: Record<string, string> = {},
  options: ConditionalOptions = {},
  request: TestRequest = {},
) {
  return callForAnswer(conditional(options)(app), { headers: Object.entries(headers), ...request })
}

test('a body that is at hand gets a weak ETag, the same for the same body', async () => {
  const first = await ask(page().app)
  expect(first.header('ETag')).toMatch(/^W\/"[\w-]{27}"$/)
  expect(first.body).toBe('hello')
  const split = () => [bytes('he'), bytes('llo')]
  expect((await ask(page([], split).app)).header('ETag')).toBe(first.header('ETag'))
  expect((await ask(page([], () => [bytes('other')]).app)).header('ETag')).not.toBe(
    first.header('ETag'),
  )
})

test('a client that has the body gets 304, and the body is closed once', async () => {
  const headers: ResponseHeaders = [
    ['Content-Length', '5'],
    ['Content-Language', 'en'],
    ['Cache-Control', 'max-age=5'],
    ['Set-Cookie', 'a=b'],
    ['Vary', 'Cookie'],
    ['Last-Modified', DATE],
  ]
  const { app, seen } = page(headers)
  const tag = (await ask(app)).header('ETag')!
  expect(seen.closed).toBe(1)
  const answer = await ask(app, { 'If-None-Match': `"x", ${tag}` })
  expect([answer.status, answer.body, answer.complete]).toEqual(['304 Not Modified', '', true])
  expect(answer.headers).toEqual([
    ['Cache-Control', 'max-age=5'],
    ['Set-Cookie', 'a=b'],
    ['Vary', 'Cookie'],
    ['ETag', tag],
  ])
  expect(seen.closed).toBe(2)
})

test('the application’s own validators are used, for streamed bodies too, and nothing is asked of the body', async () => {
  for (const [own, condition] of [
    [['ETag', '"a"'], { 'If-None-Match': 'W/"a"' }],
    [['ETag', 'W/"a"'], { 'If-None-Match': '"a"' }],
    [['ETag', '"a"'], { 'If-None-Match': '*' }],
    [['Last-Modified', DATE], { 'If-Modified-Since': LATER }],
  ] as [[string, string], Record<string, string>][]) {
    const { app, seen } = page([own], async function* () {
      seen.pieces++
      yield bytes('streamed')
    })
    const answer = await ask(app, condition)
    expect([answer.status, answer.body]).toEqual(['304 Not Modified', ''])
    expect(seen).toEqual({ closed: 1, pieces: 0 })
    expect((await ask(app, { 'If-None-Match': '"b"' })).body).toBe('streamed')
  }
})

test('a condition that says the client has another state changes nothing', async () => {
  const { app } = page([
    ['ETag', '"a"'],
    ['Last-Modified', DATE],
  ])
  for (const condition of [
    { 'If-None-Match': '"b"', 'If-Modified-Since': LATER },
    { 'If-Modified-Since': 'Fri, 02 Feb 2024 00:00:00 GMT' },
    { 'If-None-Match': '"a"', 'Cache-Control': 'no-cache' },
    { 'If-None-Match': 'a' },
  ] as Record<string, string>[])
    expect((await ask(app, condition)).status).toBe('200 OK')
})

test('If-Match and If-Unmodified-Since that do not hold are 412, and the body is closed', async () => {
  const { app, seen } = page([
    ['ETag', '"a"'],
    ['Last-Modified', DATE],
  ])
  for (const condition of [
    { 'If-Match': '"b"' },
    { 'If-Match': 'W/"a"' },
    { 'If-Unmodified-Since': 'Fri, 02 Feb 2024 00:00:00 GMT' },
  ] as Record<string, string>[]) {
    seen.closed = 0
    const answer = await ask(app, condition)
    expect([answer.status, answer.body]).toEqual([
      '412 Precondition Failed',
      'Precondition Failed\n',
    ])
    expect(answer.header('ETag')).toBeUndefined()
    expect(seen.closed).toBe(1)
  }
  expect((await ask(app, { 'If-Match': '"a"' })).status).toBe('200 OK')
})

test('a streamed body without validators passes untouched', async () => {
  const { app, seen } = page([], async function* () {
    yield bytes('a')
    yield bytes('b')
  })
  const answer = await ask(app, { 'If-None-Match': '"a"' })
  expect([answer.status, answer.pieces, answer.header('ETag')]).toEqual([
    '200 OK',
    ['a', 'b'],
    undefined,
  ])
  expect(seen.closed).toBe(1)
})

test('what is not to be tagged is not', async () => {
  const tagOf = async (answer: Promise<{ header(name: string): string | undefined }>) =>
    (await answer).header('ETag')
  expect(await tagOf(ask(page().app, {}, { etag: false }))).toBeUndefined()
  expect(await tagOf(ask(page().app, {}, { maxBytes: 4 }))).toBeUndefined()
  expect(await tagOf(ask(page().app, {}, { maxBytes: 5 }))).toBeDefined()
  expect(await tagOf(ask(page([['Cache-Control', 'private, no-store']]).app))).toBeUndefined()
  expect(await tagOf(ask(page([], undefined, '404 Not Found').app))).toBeUndefined()
  expect(await tagOf(ask(page().app, {}, {}, { method: 'POST' }))).toBeUndefined()
  expect(await tagOf(ask(page([], () => []).app, {}, {}, { method: 'HEAD' }))).toBeUndefined()
})

test('a HEAD whose body is at hand has the ETag of its GET', async () => {
  const got = await ask(page().app)
  const head = await ask(page().app, {}, {}, { method: 'HEAD' })
  expect([head.header('ETag'), head.body]).toEqual([got.header('ETag'), ''])
  const condition = { 'If-None-Match': got.header('ETag')! }
  expect((await ask(page().app, condition, {}, { method: 'HEAD' })).status).toBe('304 Not Modified')
})

test('another method is left to the application', async () => {
  const { app } = page([['ETag', '"a"']])
  const answer = await ask(app, { 'If-Match': '"b"' }, {}, { method: 'PUT' })
  expect(answer.status).toBe('200 OK')
})

test('lastModified says when, where the application does not', async () => {
  for (const lastModified of [() => new Date(DATE), async () => new Date(DATE)]) {
    const { app } = page()
    expect((await ask(app, {}, { lastModified })).header('Last-Modified')).toBe(DATE)
    expect((await ask(app, { 'If-Modified-Since': DATE }, { lastModified })).status).toBe(
      '304 Not Modified',
    )
    const own = page([['Last-Modified', LATER]]).app
    expect((await ask(own, {}, { lastModified })).header('Last-Modified')).toBe(LATER)
  }
  expect(
    (await ask(page().app, {}, { lastModified: () => undefined })).header('Last-Modified'),
  ).toBeUndefined()
})

test('a head that comes out of a generator counts too', async () => {
  let finished = 0
  const app: WSGIApplication = async function* (_environ, startResponse) {
    try {
      startResponse('200 OK', [['ETag', '"a"']])
      yield bytes('')
      yield bytes('late')
      yield bytes(' and more')
    } finally {
      finished++
    }
  } as WSGIApplication
  expect((await ask(app)).body).toBe('late and more')
  const same = await ask(app, { 'If-None-Match': '"a"' })
  expect([same.status, same.body, same.complete]).toEqual(['304 Not Modified', '', true])
  const failed = await ask(app, { 'If-Match': '"b"' })
  expect([failed.status, failed.body]).toEqual(['412 Precondition Failed', 'Precondition Failed\n'])
  expect(finished).toBe(3)
})

test('an application that uses write() is answered for', async () => {
  const app: WSGIApplication = async (_environ, startResponse) => {
    const write = startResponse('200 OK', [['ETag', '"a"']])
    await write(bytes('one '))
    await write(bytes('two'))
    return []
  }
  expect((await ask(app)).body).toBe('one two')
  const same = await ask(app, { 'If-None-Match': '"a"' })
  expect([same.status, same.body, same.complete]).toEqual(['304 Not Modified', '', true])
  const failed = await ask(app, { 'If-Match': '"b"' })
  expect([failed.status, failed.body]).toEqual(['412 Precondition Failed', 'Precondition Failed\n'])
})

test('an error handler replaces the head that is held', async () => {
  const app: WSGIApplication = (_environ, startResponse) => {
    startResponse('200 OK', [['ETag', '"a"']])
    startResponse('503 Service Unavailable', [['Content-Type', 'text/plain']], new Error('broken'))
    return [bytes('sorry')]
  }
  const answer = await ask(app, { 'If-None-Match': '"a"' })
  expect([answer.status, answer.body]).toEqual(['503 Service Unavailable', 'sorry'])
})

test('violations of the contract are refused as without the middleware', async () => {
  const giving =
    (body: unknown, headers: ResponseHeaders = []): WSGIApplication =>
    (_environ, startResponse) => {
      startResponse('200 OK', headers)
      return body as WSGIBody
    }
  const apps: [WSGIApplication, RegExp][] = [
    [page([], undefined, '200').app, /must have a space after its number/],
    [giving([], [['Connection', 'close']]), /hop-by-hop header/],
    [giving(bytes('x')), /must return an iterable/],
    [giving(['x']), /must be made of Uint8Array/],
    [() => [bytes('x')], /without having called startResponse/],
    [
      (_environ, startResponse) => {
        startResponse('200 OK', [])
        startResponse('200 OK', [])
        return []
      },
      /called twice/,
    ],
    [
      (_environ, startResponse) => {
        startResponse('200 OK', [])('x' as unknown as Uint8Array)
        return []
      },
      /write\(\) takes a Uint8Array/,
    ],
  ]
  for (const [app, message] of apps) {
    const answer = await ask(app)
    expect([answer.status, String(answer.error)]).toEqual([
      '500 Internal Server Error',
      expect.stringMatching(message),
    ])
  }
})

test('a stream whose client has it already lets go of what it holds', async () => {
  let cancelled = 0
  const app: WSGIApplication = (_environ, startResponse) => {
    startResponse('200 OK', [['ETag', '"a"']])
    return new ReadableStream<Uint8Array>({ cancel: () => void cancelled++ })
  }
  expect((await ask(app, { 'If-None-Match': '"a"' })).status).toBe('304 Not Modified')
  expect(cancelled).toBe(1)
})

test('an error in the body reaches the server, and the body is closed', async () => {
  let closed = 0
  const app: WSGIApplication = (_environ, startResponse) => {
    startResponse('200 OK', [])
    return {
      async *[Symbol.asyncIterator]() {
        yield bytes('a')
        throw new Error('lost')
      },
      close: () => closed++,
    }
  }
  const answer = await ask(app)
  expect([answer.complete, String(answer.error), closed]).toEqual([false, 'Error: lost', 1])
})

test.each([
  [{ etag: 'weak' }, /^conditional: etag must be true or false, not "weak"$/],
  [{ maxBytes: -1 }, /^conditional: maxBytes must be a number of bytes, 0 or more, not -1$/],
  [{ lastModified: DATE }, /lastModified must be a function/],
])('the options %j are refused at set-up', (options, message) => {
  expect(() => conditional(options as ConditionalOptions)).toThrow(
    expect.objectContaining({ code: 'bad-option', message: expect.stringMatching(message) }),
  )
})
