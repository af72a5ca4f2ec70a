import { describe, expect, expectTypeOf, test, vi } from 'vitest'
import { decodeText } from '../wsgi/text.ts'
import type { ResponseHeaders, WSGIApplication, WSGIEnvironment } from '../wsgi/types.ts'
import { ViolationError } from '../wsgi/validator.ts'
import { WSGIError } from '../wsgi/wsgi-error.ts'
import { testClient } from './test-client.ts'
import { TestClientError } from './test-client-error.ts'
import type { TestResponse } from './test-response.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (view: Uint8Array) => new TextDecoder().decode(view)

/** Answers with what it was asked. */
const mirror: WSGIApplication = async (environ, startResponse) => {
  const body = await environ['wsgi.input'].read()
  const seen = Object.fromEntries(
    Object.entries(environ).filter(([, value]) => typeof value === 'string'),
  )
  startResponse('200 OK', [['Content-Type', 'application/json']])
  return [bytes(JSON.stringify({ ...seen, body: String.fromCharCode(...body) }))]
}

type Mirror = Record<string, string> & { body: string }

async function mirrored(response: Promise<TestResponse>): Promise<Mirror> {
  return await (await response).json<Mirror>()
}

/** Answers each path with a status, headers and a body. */
function routes(table: Record<string, [status: string, headers?: ResponseHeaders, body?: string]>) {
  const seen: {
    method: string
    path: string
    cookies: string
    body: string
    type: string | undefined
  }[] = []
  const app: WSGIApplication = async (environ, startResponse) => {
    const path = environ.SCRIPT_NAME + environ.PATH_INFO
    seen.push({
      method: environ.REQUEST_METHOD,
      path,
      cookies: environ.HTTP_COOKIE ?? '',
      body: text(await environ['wsgi.input'].read()),
      type: environ.CONTENT_TYPE,
    })
    const [status, headers = [], body = path] = table[path] ?? ['404 Not Found']
    startResponse(status, headers)
    return [bytes(body)]
  }
  return { app, seen }
}

function moved(location: string, status = '302 Found'): [string, ResponseHeaders] {
  return [status, [['Location', location]]]
}

/** The code of what a promise rejects with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(TestClientError)
  return (error as TestClientError).code
}

describe('a request', () => {
  test('becomes the environ that a server makes of it', async () => {
    const seen = await mirrored(
      testClient(mirror).get('/a%20b/caf%C3%A9?x=1', { headers: { 'Accept-Language': 'de' } }),
    )
    expect(seen).toMatchObject({
      REQUEST_METHOD: 'GET',
      SCRIPT_NAME: '',
      PATH_INFO: '/a b/caf\u00c3\u00a9',
      QUERY_STRING: 'x=1',
      REQUEST_URI: '/a%20b/caf%C3%A9?x=1',
      SERVER_NAME: 'localhost',
      SERVER_PORT: '80',
      SERVER_PROTOCOL: 'HTTP/1.1',
      HTTP_HOST: 'localhost',
      HTTP_ACCEPT_LANGUAGE: 'de',
      REMOTE_ADDR: '127.0.0.1',
      'wsgi.url_scheme': 'http',
      body: '',
    })
    expect(seen).not.toHaveProperty('CONTENT_LENGTH')
    expect(seen).not.toHaveProperty('CONTENT_TYPE')
  })

  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const)(
    'has the method %s',
    async (method) => {
      const client = testClient(mirror)
      const name = method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete' | 'options'
      const seen = await mirrored(client[name]('/'))
      expect(seen.REQUEST_METHOD).toBe(method)
      // RFC 9110 §8.6
      expect(seen.CONTENT_LENGTH).toBe(['POST', 'PUT', 'PATCH'].includes(method) ? '0' : undefined)
      expect((await mirrored(client.request('PROPFIND', '/'))).REQUEST_METHOD).toBe('PROPFIND')
    },
  )

  test('the base URL says scheme, host, port and mount', async () => {
    const client = testClient(mirror, { baseUrl: 'https://shop.example:8443/caf\u00e9/' })
    expect(await mirrored(client.get('/cart?n=1'))).toMatchObject({
      SCRIPT_NAME: '/caf\u00c3\u00a9',
      PATH_INFO: '/cart',
      REQUEST_URI: '/caf%C3%A9/cart?n=1',
      HTTP_HOST: 'shop.example:8443',
      SERVER_NAME: 'shop.example',
      SERVER_PORT: '8443',
      'wsgi.url_scheme': 'https',
      HTTPS: 'on',
    })
    expect((await mirrored(client.get(''))).PATH_INFO).toBe('')
    expect((await mirrored(client.get('/', { baseUrl: 'http://other.example' }))).HTTP_HOST).toBe(
      'other.example',
    )
  })

  test.each([
    ['', '/', ''],
    ['?a=1', '/', 'a=1'],
    ['/x#part', '/x', ''],
    ['/\u00fc', '/\u00c3\u00bc', ''],
    ['/a b', '/a b', ''],
    ['/a\r\nX: y', '/a\r\nX: y', ''],
    ['/../etc/passwd', '/../etc/passwd', ''],
    ['//evil.example/', '//evil.example/', ''],
    ['/?q=\u00fc', '/', 'q=%C3%BC'],
    ['http://localhost/here?x', '/here', 'x'],
    ['http://localhost', '/', ''],
  ])('the path %j is sent as it is, but for what a URL cannot hold', async (path, info, query) => {
    expect(await mirrored(testClient(mirror).get(path))).toMatchObject({
      PATH_INFO: info,
      QUERY_STRING: query,
    })
  })

  test.each([
    ['/', { a: 1, b: ['x y', true] }, 'a=1&b=x+y&b=true'],
    ['/?first=1', { second: 2 }, 'first=1&second=2'],
    [
      '/',
      [
        ['a', 1],
        ['a', 2],
      ] as const,
      'a=1&a=2',
    ],
    ['/', new URLSearchParams('q=%26'), 'q=%26'],
    ['/', '?raw=%zz', 'raw=%zz'],
    ['/?', 'a=1', 'a=1'],
  ])('%s with the query %j', async (path, query, expected) => {
    expect((await mirrored(testClient(mirror).get(path, { query }))).QUERY_STRING).toBe(expected)
  })

  test('its headers come before the client\u2019s, and pairs may repeat', async () => {
    const client = testClient(mirror, { headers: { Accept: 'text/html', 'X-Kept': 'yes' } })
    const seen = await mirrored(
      client.get('/', {
        headers: [
          ['accept', 'a/b'],
          ['Accept', 'c/d'],
          ['Host', 'h'],
        ],
      }),
    )
    expect(seen).toMatchObject({ HTTP_ACCEPT: 'a/b,c/d', HTTP_X_KEPT: 'yes', HTTP_HOST: 'h' })
  })

  test('auth is Basic, in UTF-8', async () => {
    const seen = await mirrored(
      testClient(mirror).get('/', { auth: { username: 'ada', password: 'p\u00e4ss:' } }),
    )
    expect(Buffer.from(seen.HTTP_AUTHORIZATION!.slice(6), 'base64').toString()).toBe(
      'ada:p\u00e4ss:',
    )
  })

  test('environ overrides what the rest makes, the request\u2019s over the client\u2019s', async () => {
    const client = testClient(mirror, { environ: { REMOTE_ADDR: '::1', 'app.a': 'client' } })
    const seen = await mirrored(client.get('/', { environ: { 'app.a': 'request' } }))
    expect(seen).toMatchObject({ REMOTE_ADDR: '::1', 'app.a': 'request' })
  })
})

describe('a request\u2019s body', () => {
  test('a form', async () => {
    const seen = await mirrored(
      testClient(mirror).post('/', { form: { name: 'Ad\u00e4 L', tags: ['a', 'b&c'] } }),
    )
    expect(seen).toMatchObject({
      CONTENT_TYPE: 'application/x-www-form-urlencoded',
      body: 'name=Ad%C3%A4+L&tags=a&tags=b%26c',
      CONTENT_LENGTH: '33',
    })
  })

  test('JSON, also null', async () => {
    expect(await mirrored(testClient(mirror).put('/', { json: { a: [1] } }))).toMatchObject({
      CONTENT_TYPE: 'application/json',
      body: '{"a":[1]}',
    })
    expect((await mirrored(testClient(mirror).put('/', { json: null }))).body).toBe('null')
  })

  test('bytes as they are, text as UTF-8, with the type that a header gives', async () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    const seen = await mirrored(testClient(mirror).post('/', { body: all }))
    expect(seen.body).toBe(String.fromCharCode(...all))
    expect(seen).not.toHaveProperty('CONTENT_TYPE')
    const typed = await mirrored(
      testClient(mirror).post('/', { body: '\u00fc', headers: { 'content-type': 'text/x' } }),
    )
    expect(typed).toMatchObject({
      body: '\u00c3\u00bc',
      CONTENT_TYPE: 'text/x',
      CONTENT_LENGTH: '2',
    })
  })

  test('a multipart form with files is what a browser sends', async () => {
    const picture = Uint8Array.of(0, 13, 10, 45, 45, 255)
    const seen = await mirrored(
      testClient(mirror).post('/', {
        multipart: {
          title: 'A "title"',
          files: [
            { filename: 'b\u00fc"\r\n.png', type: 'image/png', content: picture },
            { filename: 'note', content: 'text' },
          ],
        },
      }),
    )
    // undici's parser of forms is not ours.
    const form = await new Response(
      Uint8Array.from(seen.body, (character) => character.charCodeAt(0)),
      {
        headers: { 'Content-Type': seen.CONTENT_TYPE! },
      },
    ).formData()
    expect(form.get('title')).toBe('A "title"')
    const files = form.getAll('files') as File[]
    expect(files.map(({ name, type }) => [decodeURIComponent(name), type])).toEqual([
      ['b\u00fc"\r\n.png', 'image/png'],
      ['note', 'application/octet-stream'],
    ])
    expect(new Uint8Array(await files[0]!.arrayBuffer())).toEqual(picture)
    expect(await files[1]!.text()).toBe('text')
  })

  test('a multipart form as a list keeps its order', async () => {
    const seen = await mirrored(
      testClient(mirror).post('/', {
        multipart: [
          { name: 'b', value: 2 },
          { name: 'f', filename: 'x', content: '' },
          { name: 'a', value: true },
        ],
      }),
    )
    expect([...seen.body.matchAll(/ name="(\w+)"/g)].map((match) => match[1])).toEqual([
      'b',
      'f',
      'a',
    ])
  })

  test('a stream is asked for its pieces as the application reads', async () => {
    const asked: number[] = []
    async function* pieces() {
      for (let i = 0; i < 3; i++) {
        asked.push(i)
        yield i === 1 ? bytes('one') : `${i}`
      }
    }
    const app: WSGIApplication = async (environ, startResponse) => {
      expect(environ).not.toHaveProperty('CONTENT_LENGTH')
      expect(environ.HTTP_TRANSFER_ENCODING).toBe('chunked')
      const input = environ['wsgi.input']
      expect(asked).toEqual([])
      expect(text(await input.read(1))).toBe('0')
      expect(asked).toEqual([0])
      const rest = text(await input.read())
      startResponse('200 OK', [])
      return [bytes(rest)]
    }
    expect(await (await testClient(app).post('/', { body: pieces() })).text()).toBe('one2')
  })

  test('a stream that the application does not read to its end is told to return', async () => {
    const ended = vi.fn()
    async function* pieces() {
      try {
        for (;;) yield 'more'
      } finally {
        ended()
      }
    }
    const app: WSGIApplication = async (environ, startResponse) => {
      await environ['wsgi.input'].read(4)
      startResponse('413 Content Too Large', [])
      return []
    }
    expect((await testClient(app).post('/', { body: pieces() })).status).toBe(413)
    await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce(), 25_000)
  })

  test('a stream that throws is the test\u2019s own error', async () => {
    async function* pieces(): AsyncGenerator<string> {
      yield 'a'
      throw new Error('no more')
    }
    await expect(testClient(mirror).post('/', { body: pieces() })).rejects.toThrow('no more')
  })

  test('an application that writes to what it has read does not change the test\u2019s bytes', async () => {
    const body = bytes('abc')
    const app: WSGIApplication = async (environ, startResponse) => {
      ;(await environ['wsgi.input'].read()).fill(0)
      startResponse('200 OK', [])
      return []
    }
    await testClient(app).post('/', { body })
    expect(text(body)).toBe('abc')
  })
})

describe('a response', () => {
  test('has a status, a reason, headers in any case, and a body in all forms', async () => {
    const app: WSGIApplication = (environ, startResponse) => {
      environ['wsgi.errors'].write('careful\n')
      startResponse('404 Nothing here', [
        ['Content-Type', 'application/json; charset="ISO-8859-1"'],
        ['Set-Cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ])
      return [Uint8Array.of(34, 0xfc), Uint8Array.of(34)]
    }
    const response = await testClient(app).get('/x?y')
    expect([response.status, response.statusText, response.ok]).toEqual([
      404,
      'Nothing here',
      false,
    ])
    expect(response.headers.get('content-TYPE')).toMatch('json')
    expect(response.headers.getAll('Set-Cookie')).toEqual(['a=1', 'b=2'])
    expect(response.headers.get('X-None')).toBeUndefined()
    expect([...response.headers].map(([name]) => name)).toEqual([
      'Content-Type',
      'Set-Cookie',
      'set-cookie',
    ])
    expect(await response.text()).toBe('"\u00fc"')
    expect(await response.json()).toBe('\u00fc')
    expect(await response.bytes()).toEqual(Uint8Array.of(34, 0xfc, 34))
    expect(response.errors).toBe('careful\n')
    expect(response.request).toMatchObject({ method: 'GET', url: 'http://localhost/x?y' })
    expectTypeOf(response.json<{ a: number }>()).resolves.toEqualTypeOf<{ a: number }>()
  })

  test('resolves with its head, and the application is asked for a piece when the test is', async () => {
    const made: number[] = []
    const closed = vi.fn()
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return {
        async *[Symbol.asyncIterator]() {
          for (let i = 0; i < 4; i++) {
            made.push(i)
            yield bytes(String(i))
          }
        },
        close: closed,
      }
    }
    const response = await testClient(app).get('/')
    expect(response.status).toBe(200)
    expect(made).toEqual([0])
    const got: string[] = []
    for await (const piece of response.body) {
      got.push(text(piece))
      expect(made.length).toBeLessThanOrEqual(got.length + 1)
    }
    expect(got).toEqual(['0', '1', '2', '3'])
    expect(closed).toHaveBeenCalledOnce()
    response.close()
    expect(closed).toHaveBeenCalledOnce()
  })

  test('100 MB pass with little in between', async () => {
    const piece = new Uint8Array(1024 * 1024)
    function* body() {
      for (let i = 0; i < 100; i++) yield piece
    }
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return body()
    }
    const before = process.memoryUsage().arrayBuffers
    let length = 0
    let most = 0
    for await (const part of (await testClient(app).get('/')).body) {
      length += part.length
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    }
    expect(length).toBe(100 * 1024 * 1024)
    expect(most).toBeLessThan(80 * 1024 * 1024)
  })

  test('a buffer that the application uses again is not seen to change', async () => {
    const buffer = new Uint8Array(1)
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return (function* () {
        for (let i = 0; i < 3; i++) {
          buffer[0] = 97 + i
          yield buffer
        }
      })()
    }
    expect(await (await testClient(app).get('/')).text()).toBe('abc')
  })

  test('write() waits until the test reads', async () => {
    const steps: string[] = []
    const app: WSGIApplication = async (_environ, startResponse) => {
      const write = startResponse('200 OK', [])
      await write(bytes('a'))
      steps.push('a was taken')
      void write(bytes('b')) // one that is in a hurry
      await write(bytes('c'))
      steps.push('c was taken')
      return [bytes('d')]
    }
    const response = await testClient(app).get('/')
    expect(steps).toEqual([])
    expect(await response.text()).toBe('abcd')
    expect(steps).toEqual(['a was taken', 'c was taken'])
  })

  test('a loop that is left, and close(), end the application\u2019s body', async () => {
    const ended = vi.fn()
    const closed = vi.fn()
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return {
        *[Symbol.iterator]() {
          try {
            for (;;) yield bytes('x')
          } finally {
            ended()
          }
        },
        close: closed,
      }
    }
    const left = await testClient(app).get('/')
    for await (const _piece of left.body) break
    expect([ended.mock.calls.length, closed.mock.calls.length]).toEqual([1, 1])
    expect(await codeOf(left.text())).toBe('body-used')

    const unread = await testClient(app).get('/')
    unread.close()
    unread.close()
    expect([ended.mock.calls.length, closed.mock.calls.length]).toEqual([2, 2])
    expect(await codeOf(unread.text())).toBe('response-closed')
  })

  test('HEAD, 204 and 304 have no body', async () => {
    for (const [method, status] of [
      ['HEAD', '200 OK'],
      ['GET', '204 No Content'],
      ['GET', '304 Not Modified'],
    ] as const) {
      for (const body of [
        [bytes('x')],
        (function* () {
          yield bytes('x')
        })(),
      ]) {
        const app: WSGIApplication = (_environ, startResponse) => {
          startResponse(status, [])
          return body
        }
        const response = await testClient(app).request(method, '/')
        expect((await response.bytes()).length, `${method} ${status}`).toBe(0)
      }
    }
  })

  test('what is not JSON is shown', async () => {
    const { app } = routes({ '/': ['200 OK', [], '<html>'] })
    await expect((await testClient(app).get('/')).json()).rejects.toThrow(
      'GET http://localhost/ answered 200 with a body that is not JSON: "<html>"',
    )
  })
})

describe('an application that fails', () => {
  const wrong = new RangeError('from the application')

  test.each<[string, WSGIApplication]>([
    [
      'throws',
      () => {
        throw wrong
      },
    ],
    [
      'rejects',
      async () => {
        throw wrong
      },
    ],
    [
      'throws after startResponse',
      (_e, start) => {
        start('200 OK', [])
        throw wrong
      },
    ],
    [
      'throws in its generator',
      (_e, start) => {
        start('200 OK', [])
        // biome-ignore lint/correctness/useYield: it throws before
        return (function* () {
          throw wrong
        })()
      },
    ],
  ])('%s: the call rejects with its own error, or is a 500', async (_name, app) => {
    await expect(testClient(app).get('/')).rejects.toBe(wrong)
    const response = await testClient(app).get('/', { raiseErrors: false })
    expect([response.status, response.error]).toEqual([500, wrong])
    expect(await response.text()).toBe('Internal Server Error')
    const head = await testClient(app, { raiseErrors: false }).head('/')
    expect([head.status, await head.text()]).toEqual([500, ''])
  })

  test('in the middle of its body: the reading rejects', async () => {
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return (function* () {
        yield bytes('some')
        throw wrong
      })()
    }
    await expect((await testClient(app).get('/')).text()).rejects.toBe(wrong)
    const seen = await testClient(app, { raiseErrors: false }).get('/')
    expect(seen.status).toBe(200)
    await expect(seen.text()).rejects.toMatchObject({ code: 'response-cut-off', cause: wrong })
  })

  test('a broken rule is an error that names it', async () => {
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse('200', [])
      return []
    }
    await expect(testClient(app).get('/')).rejects.toBeInstanceOf(WSGIError)
    const short: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [['Content-Length', '10']])
      return [bytes('short')]
    }
    await expect(
      testClient(short)
        .get('/')
        .then((response) => response.text()),
    ).rejects.toThrow(/Content-Length/)
  })

  test('too many bytes, and a close() that throws, are not passed over', async () => {
    const long: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [['Content-Length', '2']])
      return (function* () {
        yield bytes('long')
      })()
    }
    await expect((await testClient(long).get('/')).text()).rejects.toThrow(
      /more than its Content-Length/,
    )
    const lenient = await testClient(long, { raiseErrors: false }).get('/')
    expect(await lenient.text()).toBe('lo')
    expect(lenient.complaints).toHaveLength(1)

    const closing: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return Object.assign([bytes('a')], {
        close: () => {
          throw wrong
        },
      })
    }
    await expect((await testClient(closing).get('/')).text()).rejects.toBe(wrong)
  })

  test('with validate, what servers let pass is an error too', async () => {
    const untyped: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return [bytes('of no type')]
    }
    expect((await testClient(untyped).get('/')).status).toBe(200)
    await expect(testClient(untyped, { validate: true }).get('/')).rejects.toBeInstanceOf(
      ViolationError,
    )
    // The client itself is a server that keeps to the rules, whatever the request is made of.
    const client = testClient(mirror, {
      validate: true,
      baseUrl: 'https://shop.example:8443/st\u00f6re',
    })
    async function* body() {
      yield 'x'
    }
    expect((await mirrored(client.post('/a%20b', { body: body() }))).body).toBe('x')
    expect(
      (await mirrored(client.get('', { query: { a: '\u00fc' }, cookies: { c: '1' } }))).PATH_INFO,
    ).toBe('')
    expect((await mirrored(client.post('/', { form: { a: 1 } }))).body).toBe('a=1')
    expect(await (await client.head('/')).text()).toBe('')
  })

  test('what is no application is refused at once', () => {
    expect(() => testClient({} as WSGIApplication)).toThrow(WSGIError)
  })
})

describe('a signal', () => {
  test('that has fired already: the application is not called', async () => {
    const app = vi.fn<(environ: WSGIEnvironment) => Uint8Array[]>(() => [])
    await expect(
      testClient(app).get('/', { signal: AbortSignal.abort(new Error('late')) }),
    ).rejects.toThrow('late')
    expect(app).not.toHaveBeenCalled()
  })

  test('before the head: the call rejects, and the body that comes later is closed', async () => {
    const gone = new AbortController()
    const closed = vi.fn()
    let answer: (() => void) | undefined
    const app: WSGIApplication = async (_environ, startResponse) => {
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      startResponse('200 OK', [])
      return Object.assign([bytes('late')], { close: closed })
    }
    const response = testClient(app).get('/', { signal: gone.signal })
    await vi.waitFor(() => expect(answer).toBeDefined(), 25_000)
    gone.abort()
    await expect(response).rejects.toBe(gone.signal.reason)
    answer?.()
    await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce(), 25_000)
  })

  test('in the middle of the body: the reading rejects, and the body is closed', async () => {
    const gone = new AbortController()
    const ended = vi.fn()
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [])
      return (async function* () {
        try {
          yield bytes('a')
          await new Promise<void>((resolve) =>
            gone.signal.addEventListener('abort', () => resolve()),
          )
          yield bytes('b')
        } finally {
          ended()
        }
      })()
    }
    const response = await testClient(app).get('/', { signal: gone.signal })
    const reading = response.text()
    gone.abort()
    await expect(reading).rejects.toBe(gone.signal.reason)
    await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce(), 25_000)
  })
})

describe('cookies', () => {
  test('are kept by path and sent again', async () => {
    const { app, seen } = routes({
      '/login': [
        '200 OK',
        [
          ['Set-Cookie', 'session=abc; HttpOnly; SameSite=Lax'],
          ['Set-Cookie', 'admin=1; Path=/admin'],
        ],
      ],
    })
    const client = testClient(app)
    await client.get('/login')
    await client.get('/')
    await client.get('/admin/users')
    await client.get('/administrator')
    expect(seen.map(({ cookies }) => cookies)).toEqual([
      '',
      'session=abc',
      'admin=1; session=abc',
      'session=abc',
    ])
    expect(client.cookies.get('session')).toEqual({
      name: 'session',
      value: 'abc',
      domain: 'localhost',
      path: '/',
      secure: false,
      httpOnly: true,
      sameSite: 'lax',
      expires: undefined,
    })
  })

  test('end when they expire, or are replaced', async () => {
    const { app, seen } = routes({
      '/set': [
        '200 OK',
        [
          ['Set-Cookie', 'a=1; Max-Age=60'],
          ['Set-Cookie', 'b=2'],
        ],
      ],
      '/unset': ['200 OK', [['Set-Cookie', 'b=; Expires=Thu, 01 Jan 1970 00:00:00 GMT']]],
    })
    const client = testClient(app)
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      await client.get('/set')
      await client.get('/unset')
      await client.get('/')
      expect(client.cookies.all().map(({ name }) => name)).toEqual(['a'])
      vi.setSystemTime(Date.now() + 61_000)
      await client.get('/')
      expect(client.cookies.all()).toEqual([])
    } finally {
      vi.useRealTimers()
    }
    expect(seen.slice(2).map(({ cookies }) => cookies)).toEqual(['a=1', ''])
  })

  test('Secure ones need https, but for localhost; those of other domains are not kept', async () => {
    const set: ResponseHeaders = [
      ['Set-Cookie', 'safe=1; Secure'],
      ['Set-Cookie', 'wide=1; Domain=shop.example'],
      ['Set-Cookie', 'foreign=1; Domain=evil.example'],
      ['Set-Cookie', 'public=1; Domain=example'],
    ]
    const { app, seen } = routes({ '/set': ['200 OK', set] })
    const plain = testClient(app, { baseUrl: 'http://www.shop.example' })
    await plain.get('/set')
    await plain.get('/')
    expect(seen.at(-1)!.cookies).toBe('wide=1')
    await plain.get('/', { baseUrl: 'http://other.shop.example' })
    expect(seen.at(-1)!.cookies).toBe('wide=1')
    await plain.get('/', { baseUrl: 'http://shop.test' })
    expect(seen.at(-1)!.cookies).toBe('')
    const secure = testClient(app, { baseUrl: 'https://www.shop.example' })
    await secure.get('/set')
    await secure.get('/')
    expect(seen.at(-1)!.cookies).toBe('safe=1; wide=1')
    await secure.get('/', { baseUrl: 'http://www.shop.example' })
    expect(seen.at(-1)!.cookies).toBe('wide=1')
    const local = testClient(routes({ '/': ['200 OK', set] }).app)
    await local.get('/')
    expect(local.cookies.all().map(({ name }) => name)).toEqual(['safe'])
  })

  test('are set, deleted and cleared by the test, and given with one request', async () => {
    const { app, seen } = routes({})
    const client = testClient(app, { baseUrl: 'https://shop.example/store' })
    client.cookies.set('a', '1')
    client.cookies.set('b', 'two words', { path: '/store/cart', secure: true })
    client.cookies.set('c', '3', { domain: '.shop.example', maxAge: 60 })
    client.cookies.set('d', '4', { expires: new Date(Date.now() + 1000) })
    await client.get('/cart', { cookies: { a: 'own', e: '5' } })
    await client.get('/')
    expect(seen.map(({ cookies }) => cookies)).toEqual([
      'b=two words; c=3; d=4; a=own; e=5',
      'a=1; c=3; d=4',
    ])
    client.cookies.delete('a', { path: '/other' })
    expect(client.cookies.get('a')?.value).toBe('1')
    client.cookies.delete('a')
    expect(client.cookies.get('a')).toBeUndefined()
    client.cookies.clear()
    expect(client.cookies.all()).toEqual([])
    for (const [name, value] of [
      ['a b', '1'],
      ['a', '1;2'],
      ['a', '1\r\n'],
      ['', 'x'],
      ['a', '\u20ac'],
    ] as const)
      expect(() => client.cookies.set(name, value), `${name}=${value}`).toThrow(TestClientError)
    expect(() => client.cookies.set('a', '1', { domain: 'example' })).toThrow(/cannot be set/)
  })
})

describe('redirects', () => {
  test('are shown, unless the test asks to follow them', async () => {
    const { app } = routes({ '/old': moved('/new') })
    const response = await testClient(app).get('/old')
    expect([response.status, response.headers.get('Location')]).toEqual([302, '/new'])
    expect(
      (await testClient(app, { followRedirects: true }).get('/old', { followRedirects: false }))
        .status,
    ).toBe(302)
  })

  test('take the cookies along, resolve against the URL, and are kept', async () => {
    const { app, seen } = routes({
      '/a/login': [
        '303 See Other',
        [
          ['Location', 'next?x=1'],
          ['Set-Cookie', 's=1; Path=/'],
        ],
      ],
      '/a/next': moved('../caf\u00c3\u00a9', '301 Moved Permanently'),
      '/caf\u00c3\u00a9': ['200 OK', [], 'here'],
    })
    const response = await testClient(app).post('/a/login', {
      form: { n: 1 },
      followRedirects: true,
      headers: { 'Content-Language': 'de', 'X-Kept': 'y' },
    })
    expect(await response.text()).toBe('here')
    expect(response.request.url).toBe('http://localhost/caf%C3%A9')
    expect(response.redirects.map(({ status, request }) => [status, request.url])).toEqual([
      [303, 'http://localhost/a/login'],
      [301, 'http://localhost/a/next?x=1'],
    ])
    expect(await response.redirects[0]!.text()).toBe('/a/login')
    expect(seen).toMatchObject([
      { method: 'POST', body: 'n=1', cookies: '' },
      { method: 'GET', body: '', cookies: 's=1', type: undefined },
      { method: 'GET', body: '', cookies: 's=1' },
    ])
    expect(response.request.environ).toMatchObject({ HTTP_X_KEPT: 'y' })
    expect(response.request.environ).not.toHaveProperty('HTTP_CONTENT_LANGUAGE')
  })

  test.each([
    ['301 Moved Permanently', 'POST', 'GET'],
    ['302 Found', 'PUT', 'GET'],
    ['303 See Other', 'DELETE', 'GET'],
    ['303 See Other', 'HEAD', 'HEAD'],
    ['307 Temporary Redirect', 'POST', 'POST'],
    ['308 Permanent Redirect', 'PUT', 'PUT'],
  ])('%s makes of %s a %s', async (status, method, then) => {
    const { app, seen } = routes({ '/a': moved('/b', status), '/b': ['200 OK'] })
    await testClient(app).request(method, '/a', { body: 'body', followRedirects: true })
    expect(seen[1]).toMatchObject({
      method: then,
      body: then === method && method !== 'HEAD' ? 'body' : '',
    })
  })

  test('a stream cannot be sent again', async () => {
    const { app } = routes({ '/a': moved('/b', '307 Temporary Redirect') })
    async function* body() {
      yield 'x'
    }
    expect(await codeOf(testClient(app).post('/a', { body: body(), followRedirects: true }))).toBe(
      'body-not-replayable',
    )
  })

  test('without an end are given up', async () => {
    const { app, seen } = routes({ '/a': moved('/b'), '/b': moved('/a') })
    expect(await codeOf(testClient(app).get('/a', { followRedirects: true }))).toBe(
      'too-many-redirects',
    )
    expect(seen).toHaveLength(21)
    expect(
      await codeOf(testClient(app).get('/a', { followRedirects: true, maxRedirects: 0 })),
    ).toBe('too-many-redirects')
  })

  test.each([
    ['https://other.example/', 'redirect-leaves'],
    ['//evil.example/store/', 'redirect-leaves'],
    ['http://localhost:81/store/', 'redirect-leaves'],
    ['/', 'redirect-leaves'],
    ['/storehouse', 'redirect-leaves'],
    ['/store/../admin', 'redirect-leaves'],
    ['mailto:ada@example.org', 'redirect-leaves'],
    ['http://[', 'bad-redirect'],
  ])('to %s do not stay in the application', async (location, code) => {
    const closed = vi.fn()
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse('302 Found', [['Location', location]])
      return {
        *[Symbol.iterator]() {
          for (;;) yield bytes('x')
        },
        close: closed,
      }
    }
    const client = testClient(app, { baseUrl: 'http://localhost/store', followRedirects: true })
    expect(await codeOf(client.get('/x'))).toBe(code)
    expect(closed).toHaveBeenCalledOnce()
  })

  test('stay under the mount, and may lead to https on the same host', async () => {
    const { app } = routes({
      '/store/old': moved('/store/new?y'),
      '/store/new': moved('https://shop.example/store'),
      '/store': ['200 OK', [], 'the shop'],
    })
    const client = testClient(app, { baseUrl: 'http://shop.example/store', followRedirects: true })
    const response = await client.get('/old')
    expect(await response.text()).toBe('the shop')
    expect(response.request.url).toBe('https://shop.example/store')
    expect(response.request.environ).toMatchObject({
      SCRIPT_NAME: '/store',
      PATH_INFO: '',
      'wsgi.url_scheme': 'https',
      SERVER_PORT: '443',
    })
  })
})

describe('a wrong option', () => {
  const client = testClient(mirror)

  test.each([
    ['a path without a slash', () => client.get('cart')],
    ['a path of another site', () => client.get('https://other.example/')],
    ['two bodies', () => client.post('/', { json: 1, form: { a: 1 } })],
    ['a body of another kind', () => client.post('/', { body: { a: 1 } as unknown as string })],
    ['JSON that is none', () => client.post('/', { json: () => {} })],
    ['a header of two lines', () => client.get('/', { headers: { 'X-A': 'a\r\nX-B: b' } })],
    ['a header beyond latin-1', () => client.get('/', { headers: { 'X-A': '\u20ac' } })],
    ['a header with an underscore', () => client.get('/', { headers: { X_A: 'a' } })],
    ['a header\u2019s name that is none', () => client.get('/', { headers: { 'X A': 'a' } })],
    ['a method that is none', () => client.request('GET /', '/')],
    [
      'two authorizations',
      () =>
        client.get('/', {
          auth: { username: 'a', password: 'b' },
          headers: { authorization: 'x' },
        }),
    ],
    ['a username with a colon', () => client.get('/', { auth: { username: 'a:', password: 'b' } })],
    ['a cookie of two', () => client.get('/', { cookies: { a: '1; b=2' } })],
    [
      'a file\u2019s type of two lines',
      () => client.post('/', { multipart: { f: { filename: 'a', type: 'a\r\nb', content: '' } } }),
    ],
    ['redirects that are no number', () => client.get('/', { maxRedirects: Number.NaN })],
  ])('%s is refused', async (_name, call) => {
    expect(await codeOf(call())).toBe('bad-option')
  })

  test.each([
    'shop.example',
    'ftp://shop.example',
    'http://shop.example/?a',
    'http://ada@shop.example',
  ])('the base URL %s is refused at set-up', (baseUrl) => {
    expect(() => testClient(mirror, { baseUrl })).toThrow(TestClientError)
  })

  test('a path outside the mount is refused', async () => {
    const mounted = testClient(mirror, { baseUrl: 'http://localhost/store' })
    expect(await codeOf(mounted.get('http://localhost/storehouse'))).toBe('bad-option')
    expect((await mirrored(mounted.get('http://localhost/store/a'))).PATH_INFO).toBe('/a')
  })
})

test('what an environ holds is decoded by the application', async () => {
  const app: WSGIApplication = (environ, startResponse) => {
    startResponse('200 OK', [])
    return [bytes(decodeText(environ.PATH_INFO))]
  }
  expect(await (await testClient(app).get('/\u65e5\u672c')).text()).toBe('/\u65e5\u672c')
})
