import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  callForAnswer,
  environOf,
  type TestRequest,
} from '../../../tests/support/call-application.ts'
import { Call } from '../../wsgi/call.ts'
import { checkHead } from '../../wsgi/head-rules.ts'
import { latin1Bytes } from '../../wsgi/text.ts'
import type { WSGIApplication, WSGIBody } from '../../wsgi/types.ts'
import { escapeLogText, type LogRecord } from './log-formats.ts'
import { logger } from './logger.ts'

const hello: WSGIApplication = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Length', '5']])
  return [latin1Bytes('hello')]
}

/** The records of one call. */
async function recordsOf(app: WSGIApplication, request: TestRequest = {}): Promise<LogRecord[]> {
  const records: LogRecord[] = []
  const format = (record: LogRecord) => {
    records.push(record)
    return undefined
  }
  await callForAnswer(logger({ format, write: () => {} })(app), request)
  return records
}

const client: TestRequest = {
  target: '/a?b=c',
  remoteAddress: '192.0.2.1',
  headers: [
    ['Referer', 'http://x/'],
    ['User-Agent', 'test "1"'],
    ['Authorization', `Basic ${btoa('ann lee:secret')}`],
  ],
}

describe('the formats', () => {
  const time = String.raw`\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`
  test.each([
    ['common', `^192.0.2.1 - ann\\\\x20lee ${time} "GET /a\\?b=c HTTP/1.1" 200 5$`],
    [
      undefined,
      `^192.0.2.1 - ann\\\\x20lee ${time} "GET /a\\?b=c HTTP/1.1" 200 5 "http://x/" "test ` +
        '\\\\"1\\\\"" \\d\\.\\d{6}$',
    ],
    ['dev', String.raw`^GET /a\?b=c 200 \d+\.\d ms 5 B$`],
  ] as const)('%s', async (format, pattern) => {
    const lines: string[] = []
    await callForAnswer(
      logger({ ...(format && { format }), write: (line) => lines.push(line) })(hello),
      client,
    )
    expect(lines).toEqual([expect.stringMatching(new RegExp(pattern))])
  })

  test('whatever the client sends, a line is one line of printable ASCII with its quotes in pairs', async () => {
    const text = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
    })
    await fc.assert(
      fc.asyncProperty(text, text, text, async (target, agent, user) => {
        for (const format of ['combined', 'common', 'dev'] as const) {
          const lines: string[] = []
          await callForAnswer(logger({ format, write: (line) => lines.push(line) })(hello), {
            environ: {
              REQUEST_URI: target,
              HTTP_USER_AGENT: agent,
              REMOTE_USER: user,
              REQUEST_METHOD: `G${agent}`,
            },
          })
          expect(lines).toHaveLength(1)
          expect(lines[0]).toMatch(/^[\x20-\x7e]+$/)
          const quotes = lines[0]!.replaceAll(/\\./g, '').match(/"/g)?.length ?? 0
          expect(quotes).toBe({ combined: 6, common: 2, dev: 0 }[format])
        }
      }),
      { numRuns: 50 },
    )
  })

  test('escapes as Apache does', () => {
    expect(escapeLogText('a"\\\n\r\t\x1b\x7f\u00e9\u20ac')).toBe(
      'a\\"\\\\\\n\\r\\t\\x1b\\x7f\\xe9\\xe2\\x82\\xac',
    )
    expect(escapeLogText('')).toBe('-')
  })
})

describe('a record', () => {
  test('of a streamed response has the bytes of all its pieces', async () => {
    const [record] = await recordsOf(async function* (_environ, startResponse) {
      startResponse('201 Created', [])
      yield latin1Bytes('abc')
      yield latin1Bytes('de')
    })
    expect(record).toMatchObject({ status: 201, bytes: 5, outcome: 'complete' })
  })

  test('counts what was given to write()', async () => {
    const [record] = await recordsOf((_environ, startResponse) => {
      startResponse('200 OK', [])(latin1Bytes('abc'))
      return [latin1Bytes('d')]
    })
    expect(record).toMatchObject({ bytes: 4, outcome: 'complete' })
  })

  test.each([
    ['HEAD', '200 OK', 0],
    ['GET', '304 Not Modified', 0],
    ['GET', '200 OK', 3],
  ])('of %s, %s has %i bytes', async (method, status, bytes) => {
    const [record] = await recordsOf(
      function* (_environ, startResponse) {
        startResponse(status, [])
        yield latin1Bytes('abc')
      },
      { method },
    )
    expect(record).toMatchObject({ bytes, outcome: 'complete' })
  })

  test('counts no more than the Content-Length', async () => {
    const [record] = await recordsOf(function* (_environ, startResponse) {
      startResponse('200 OK', [['content-length', '2']])
      yield latin1Bytes('abc')
    })
    expect(record).toMatchObject({ bytes: 2, outcome: 'complete' })
  })

  test('says failed for what throws, with the status that the server gives', async () => {
    const error = new Error('x')
    const apps: [WSGIApplication, number][] = [
      [() => Promise.reject(error), 500],
      [() => Promise.reject(Object.assign(new Error('x'), { status: 502 })), 502],
      [
        () => {
          throw error
        },
        500,
      ],
      [
        function* (_environ, startResponse) {
          startResponse('200 OK', [])
          if (true as boolean) throw error
          yield latin1Bytes('never')
        },
        500,
      ],
      [
        function* (_environ, startResponse) {
          startResponse('200 OK', [])
          yield latin1Bytes('begun')
          throw error
        },
        200,
      ],
      [
        (_environ, startResponse) => {
          startResponse('200 OK', [['Content-Length', '9']])
          return [latin1Bytes('short')]
        },
        200,
      ],
      [() => [], 500],
      [() => 'text' as never, 500],
    ]
    for (const [app, status] of apps)
      expect(await recordsOf(app)).toMatchObject([{ status, outcome: 'failed' }])
  })

  test('says aborted where the client goes away, with what was given by then', async () => {
    const records: LogRecord[] = []
    let closed = 0
    const app: WSGIApplication = (_environ, startResponse) => {
      startResponse('200 OK', [])
      const body = (async function* () {
        for (;;) yield latin1Bytes('abc')
      })()
      return Object.assign(body, {
        close: () => {
          closed++
        },
      })
    }
    const watched = logger({
      format: (record) => {
        expect(closed).toBe(1) // the line comes last
        records.push(record)
        return undefined
      },
    })(app)
    let pieces = 0
    const ended = new Promise<void>((resolve) => {
      const call = new Call(
        watched,
        environOf(),
        {
          checkHead,
          respond() {},
          start() {},
          data: () => {
            pieces++
            if (pieces === 3) queueMicrotask(() => resolve(call.cancel()))
            return pieces < 3
          },
          whenReady() {},
          finish() {},
          failed() {},
          broken() {},
          complain() {},
        },
        false,
      )
      call.run()
    })
    await ended
    expect(records).toMatchObject([{ bytes: 9, outcome: 'aborted', status: 200 }])
    expect(closed).toBe(1)
  })

  test('says so once where the client goes away and the application never answers, or late', async () => {
    let answer = (_body: WSGIBody) => {}
    const apps: WSGIApplication[] = [
      () => new Promise(() => {}),
      (_environ, startResponse) =>
        new Promise<WSGIBody>((resolve) => {
          answer = (body) => {
            startResponse('200 OK', [])
            resolve(body)
          }
        }),
    ]
    for (const app of apps) {
      const records: LogRecord[] = []
      const format = (record: LogRecord) => void records.push(record)
      const ignored = () => {}
      const call = new Call(
        logger({ format })(app),
        environOf(),
        {
          checkHead,
          respond: ignored,
          start: ignored,
          data: () => true,
          whenReady: ignored,
          finish: ignored,
          failed: ignored,
          broken: ignored,
          complain: ignored,
        },
        false,
      )
      call.run()
      expect(records).toEqual([])
      call.cancel()
      answer([latin1Bytes('late')])
      await new Promise(setImmediate)
      expect(records).toMatchObject([{ status: 499, outcome: 'aborted', bytes: 0 }])
      expect(records).toHaveLength(1)
    }
  })

  test('has the request as it came, whatever the application does to the environ', async () => {
    const [record] = await recordsOf((environ, startResponse) => {
      environ.REQUEST_METHOD = 'X'
      environ.PATH_INFO = '/other'
      delete environ.REQUEST_URI
      environ.REMOTE_USER = 'bob'
      return hello(environ, startResponse)
    }, client)
    expect(record).toMatchObject({ method: 'GET', target: '/a?b=c', user: 'bob' })
    expect(record!.seconds).toBeGreaterThanOrEqual(0)
    expect(Math.abs(record!.startedAt - Date.now())).toBeLessThan(10_000)
  })

  test.each(['Basic !!!', 'Basic', 'Bearer abc', `Basic ${btoa('nocolon')}`, 'Basic A'])(
    'has no user for the Authorization %s',
    async (value) => {
      const [record] = await recordsOf(hello, { headers: [['Authorization', value]] })
      expect(record!.user).toBe('')
    },
  )
})

test('the response is the application’s own', async () => {
  const answer = await callForAnswer(logger({ write: () => {} })(hello))
  expect([answer.status, answer.headers, answer.body]).toEqual([
    '200 OK',
    [['Content-Length', '5']],
    'hello',
  ])
})

test.each([
  () => {
    throw new Error('disk\nfull')
  },
  () => Promise.reject(new Error('disk\nfull')),
])('a log that fails harms no response, and is told of: %#', async (write) => {
  const errors: string[] = []
  const answer = await callForAnswer(logger({ write })(hello), {
    errors: { write: (text) => errors.push(text), writelines() {}, flush() {} },
  })
  expect(answer.body).toBe('hello')
  expect(answer.complaints).toEqual([])
  expect(errors).toEqual([expect.stringMatching(/^The access log failed: Error: disk\\nfull.*\n$/)])
})

test('a wrong option is refused when it is set', () => {
  expect(() => logger({ format: 'apache' } as never)).toThrow(
    'logger: format must be one of common, combined, dev or a function, not the string "apache"',
  )
  expect(() => logger({ format: 'toString' } as never)).toThrow(TypeError)
  expect(() => logger({ write: 'log' } as never)).toThrow('logger: write must be a function')
})
