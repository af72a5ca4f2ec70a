import { describe, expect, test } from 'vitest'
import { callForAnswer } from '../../../tests/support/call-application.ts'
import { latin1Bytes } from '../../wsgi/text.ts'
import type { WSGIApplication } from '../../wsgi/types.ts'
import { type CorsOptions, cors } from './cors.ts'

const SHOP = 'https://shop.example'

const hello: WSGIApplication = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [latin1Bytes('hello')]
}

function ask(options: CorsOptions | undefined, origin?: string, app = hello) {
  return callForAnswer(cors(options)(app), {
    headers: origin === undefined ? [] : [['Origin', origin]],
  })
}

function preflight(
  options: CorsOptions | undefined,
  origin: string,
  more: [string, string][] = [],
) {
  const app: WSGIApplication = () => {
    throw new Error('a preflight reached the application')
  }
  return callForAnswer(cors(options)(app), {
    method: 'OPTIONS',
    headers: [['Origin', origin], ['Access-Control-Request-Method', 'PUT'], ...more],
  })
}

const allowed = async (options: CorsOptions, origin: string) =>
  (await ask(options, origin)).header('Access-Control-Allow-Origin')

describe('which origins', () => {
  test('by default all, with the same answer for each', async () => {
    for (const origin of [SHOP, 'null', undefined]) {
      const answer = await ask(undefined, origin)
      expect(answer.headers).toEqual([
        ['Content-Type', 'text/plain'],
        ['Access-Control-Allow-Origin', '*'],
      ])
      expect(answer.body).toBe('hello')
    }
  })

  test('one: it is named, and no other gets anything but Vary', async () => {
    expect((await ask({ origin: SHOP }, SHOP)).headers).toEqual([
      ['Content-Type', 'text/plain'],
      ['Access-Control-Allow-Origin', SHOP],
      ['Vary', 'Origin'],
    ])
    for (const other of [
      `${SHOP}.evil.test`,
      'http://shop.example',
      `${SHOP}:8443`,
      'null',
      '',
      undefined,
    ]) {
      const answer = await ask({ origin: SHOP }, other)
      expect(answer.headers).toEqual([
        ['Content-Type', 'text/plain'],
        ['Vary', 'Origin'],
      ])
      expect(answer.body).toBe('hello')
    }
  })

  test('a list of names and patterns', async () => {
    const options = { origin: [SHOP, /https:\/\/[a-z]+\.preview\.example/] }
    expect(await allowed(options, SHOP)).toBe(SHOP)
    expect(await allowed(options, 'https://a.preview.example')).toBe('https://a.preview.example')
    expect(await allowed(options, 'https://other.example')).toBeUndefined()
  })

  test('a pattern must match the whole origin', async () => {
    expect(
      await allowed({ origin: /shop\.example/ }, 'https://shop.example.evil.test'),
    ).toBeUndefined()
    expect(
      await allowed({ origin: /https:\/\/a|https:\/\/b/ }, 'https://b.evil.test'),
    ).toBeUndefined()
    expect(await allowed({ origin: /https:\/\/a|https:\/\/b/ }, 'https://b')).toBe('https://b')
  })

  test('a pattern with the flag g gives the same answer each time', async () => {
    const middleware = cors({ origin: /https:\/\/shop\.example/g })(hello)
    for (let i = 0; i < 3; i++) {
      const answer = await callForAnswer(middleware, { headers: [['Origin', SHOP]] })
      expect(answer.header('Access-Control-Allow-Origin')).toBe(SHOP)
    }
  })

  test('a function, which gets the environ', async () => {
    const origin = (name: string, environ: { PATH_INFO: string }) =>
      name === SHOP && environ.PATH_INFO === '/'
    expect(await allowed({ origin }, SHOP)).toBe(SHOP)
    expect(await allowed({ origin }, 'https://other.example')).toBeUndefined()
  })

  test('a function that answers later', async () => {
    const origin = async (name: string) => name === SHOP
    const answer = await ask({ origin }, SHOP)
    expect(answer).toMatchObject({ body: 'hello', complete: true })
    expect(answer.header('Access-Control-Allow-Origin')).toBe(SHOP)
    expect(await allowed({ origin }, 'https://other.example')).toBeUndefined()
    expect((await preflight({ origin }, SHOP)).header('Access-Control-Allow-Origin')).toBe(SHOP)
  })

  test.each(['yes', 1, {}, null, undefined])(
    'a function that gives %j, not true, allows nothing',
    async (given) => {
      expect(await allowed({ origin: () => given as never }, SHOP)).toBeUndefined()
      expect(await allowed({ origin: async () => given as never }, SHOP)).toBeUndefined()
    },
  )

  test('a function that fails fails the request', async () => {
    const failing = () => Promise.reject(new Error('no database'))
    expect((await ask({ origin: failing }, SHOP)).error).toMatchObject({ message: 'no database' })
  })

  test.each([
    `${SHOP}, https://evil.test`,
    `${SHOP}/`,
    'shop.example',
    `${SHOP}@evil.test`,
    'https://a"b',
    'x',
  ])('what is no origin is not shown to a function: %s', async (origin) => {
    expect(await allowed({ origin: () => true }, origin)).toBeUndefined()
  })
})

describe('responses', () => {
  test('credentials and exposed headers are for the allowed origin only', async () => {
    const options = { origin: SHOP, credentials: true, exposedHeaders: ['X-Total', 'ETag'] }
    const answer = await ask(options, SHOP)
    expect(answer.header('Access-Control-Allow-Credentials')).toBe('true')
    expect(answer.header('Access-Control-Expose-Headers')).toBe('X-Total, ETag')
    const other = await ask(options, 'https://other.example')
    expect(other.headers.filter(([name]) => name.startsWith('Access-Control'))).toEqual([])
  })

  test.each(['Origin', 'origin', 'Accept, Origin', '*'])(
    'a Vary of the application is enough: %s',
    async (vary) => {
      const answer = await ask({ origin: SHOP }, SHOP, (_environ, startResponse) => {
        startResponse('200 OK', [['Vary', vary]])
        return []
      })
      expect(answer.header('Vary')).toBe(vary)
    },
  )

  test('another Vary of the application is kept', async () => {
    const answer = await ask({ origin: SHOP }, SHOP, (_environ, startResponse) => {
      startResponse('200 OK', [['Vary', 'Accept-Encoding, X-Origin']])
      return []
    })
    expect(answer.header('Vary')).toBe('Accept-Encoding, X-Origin, Origin')
  })

  test("the application's own policy is replaced, for whom it is stricter and for whom it is laxer", async () => {
    const lax: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [
        ['access-control-allow-origin', '*'],
        ['Access-Control-Allow-Credentials', 'true'],
      ])
      return []
    }
    expect((await ask({ origin: SHOP }, SHOP, lax)).header('Access-Control-Allow-Origin')).toBe(
      SHOP,
    )
    expect((await ask({ origin: SHOP }, 'https://x.example', lax)).headers).toEqual([
      ['Vary', 'Origin'],
    ])
  })

  test('an application that begins its response late, inside its generator, and again with an error', async () => {
    const answer = await ask({ origin: SHOP }, SHOP, async function* (_environ, startResponse) {
      startResponse('200 OK', [])
      yield new Uint8Array(0)
      startResponse('500 Oops', [], new Error('x'))
      yield latin1Bytes('sorry')
    } as WSGIApplication)
    expect(answer).toMatchObject({ status: '500 Oops', body: 'sorry', complete: true })
    expect(answer.headers).toEqual([
      ['Access-Control-Allow-Origin', SHOP],
      ['Vary', 'Origin'],
    ])
  })

  test("a plain OPTIONS request is the application's", async () => {
    const answer = await callForAnswer(cors()(hello), {
      method: 'OPTIONS',
      headers: [['Origin', SHOP]],
    })
    expect(answer.body).toBe('hello')
  })
})

describe('preflight', () => {
  test('is answered 204, with the methods and the headers that were asked for', async () => {
    const answer = await preflight(undefined, SHOP, [
      ['Access-Control-Request-Headers', 'content-type,x-token'],
    ])
    expect(answer).toMatchObject({ status: '204 No Content', body: '', complete: true })
    expect(answer.headers).toEqual([
      ['Access-Control-Allow-Origin', '*'],
      ['Vary', 'Access-Control-Request-Headers'],
      ['Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE'],
      ['Access-Control-Allow-Headers', 'content-type,x-token'],
    ])
  })

  test('says what the options say', async () => {
    const options: CorsOptions = {
      origin: [SHOP],
      methods: ['GET', 'PUT'],
      allowedHeaders: ['X-Token'],
      exposedHeaders: ['X-Total'],
      credentials: true,
      maxAge: 600,
    }
    expect(
      (await preflight(options, SHOP, [['Access-Control-Request-Headers', 'x-other']])).headers,
    ).toEqual([
      ['Access-Control-Allow-Origin', SHOP],
      ['Access-Control-Allow-Credentials', 'true'],
      ['Vary', 'Origin'],
      ['Access-Control-Allow-Methods', 'GET, PUT'],
      ['Access-Control-Allow-Headers', 'X-Token'],
      ['Access-Control-Max-Age', '600'],
    ])
  })

  test('of another origin gets nothing that would allow it', async () => {
    const answer = await preflight(
      { origin: SHOP, credentials: true, maxAge: 5 },
      'https://other.example',
    )
    expect(answer).toMatchObject({
      status: '204 No Content',
      headers: [['Vary', 'Origin, Access-Control-Request-Headers']],
    })
  })

  test('a list of headers that is none is not sent back', async () => {
    const answer = await preflight(undefined, SHOP, [
      ['Access-Control-Request-Headers', 'a b;<script>'],
    ])
    expect(answer.header('Access-Control-Allow-Headers')).toBeUndefined()
  })

  test('the private network is opened only on request, only when it is allowed, only for an allowed origin', async () => {
    const asks: [string, string][] = [['Access-Control-Request-Private-Network', 'true']]
    const opened = async (options: CorsOptions, origin: string, more = asks) =>
      (await preflight(options, origin, more)).header('Access-Control-Allow-Private-Network')
    expect(await opened({ origin: SHOP, privateNetwork: true }, SHOP)).toBe('true')
    expect(await opened({ origin: SHOP, privateNetwork: true }, SHOP, [])).toBeUndefined()
    expect(
      await opened({ origin: SHOP, privateNetwork: true }, 'https://other.example'),
    ).toBeUndefined()
    expect(await opened({ origin: SHOP }, SHOP)).toBeUndefined()
  })
})

describe('refused at set-up', () => {
  test.each<[unknown, string]>([
    [{ credentials: true }, 'credentials cannot be used with origin "*"'],
    [{ origin: '*', credentials: true }, 'credentials cannot be used with origin "*"'],
    [{ origin: ['*'] }, 'write origin: "*"'],
    [{ origin: [SHOP, '*'], credentials: true }, 'write origin: "*"'],
    [{ origin: 'null', credentials: true }, '"null"'],
    [{ origin: `${SHOP}/` }, `write it like "${SHOP}"`],
    [{ origin: 'https://Shop.example:443' }, `write it like "${SHOP}"`],
    [{ origin: 'shop.example' }, 'write it like "https://shop.example"'],
    [{ origin: '' }, 'write it like'],
    [{ origin: 5 }, 'origin must be'],
    [{ origin: [null] }, 'origin must be'],
    [{ methods: ['get'] }, 'write GET, not get'],
    [{ methods: 'GET' }, 'methods must be a list'],
    [{ methods: 5 }, 'methods must be a list'],
    [{ allowedHeaders: ['X Token'] }, 'allowedHeaders must be'],
    [{ allowedHeaders: 'X-Token' }, 'allowedHeaders must be'],
    [{ exposedHeaders: ['a\r\nb'] }, 'exposedHeaders must be'],
    [{ origin: SHOP, credentials: true, exposedHeaders: ['*'] }, '"*" in exposedHeaders'],
    [{ maxAge: -1 }, 'maxAge must be'],
    [{ maxAge: 1.5 }, 'maxAge must be'],
    [{ credentials: 'yes' }, 'credentials must be true or false'],
  ])('%j', (options, message) => {
    expect(() => cors(options as CorsOptions)).toThrow(
      expect.objectContaining({ code: 'bad-option', message: expect.stringContaining(message) }),
    )
  })

  test.each([
    'chrome-extension://abcdef',
    'capacitor://localhost',
    'null',
    'http://localhost:5173',
    'http://[::1]:8080',
  ])('but not %s', async (origin) => {
    expect(await allowed({ origin }, origin)).toBe(origin)
  })
})
