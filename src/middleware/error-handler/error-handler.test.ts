import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { callForAnswer, type TestRequest } from '../../../tests/support/call-application.ts'
import { bytesSource, RequestInput } from '../../wsgi/input-stream.ts'
import { decodeText, latin1Bytes } from '../../wsgi/text.ts'
import type { WSGIApplication } from '../../wsgi/types.ts'
import { bodyLimit } from '../body-limit/body-limit.ts'
import { DEBUG_STYLE, DEBUG_STYLE_HASH } from './debug-page.ts'
import { type ErrorEntry, errorHandler } from './error-handler.ts'
import { maskedText } from './masked-environ.ts'
import { stackFrames } from './stack-frames.ts'

const boom = () => new Error('boom <b>')

/** A request with its `wsgi.errors` in a list. */
function recording(request: TestRequest = {}): { request: TestRequest; errors: string[] } {
  const errors: string[] = []
  const write = (text: string) => {
    errors.push(text)
  }
  return { request: { ...request, errors: { write, writelines() {}, flush() {} } }, errors }
}

const failing: Record<string, WSGIApplication> = {
  'a function': () => {
    throw boom()
  },
  'a promise': () => Promise.reject(boom()),
  'an object': {
    wsgi: () => {
      throw boom()
    },
  },
  'after startResponse': (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Encoding', 'gzip']])
    throw boom()
  },
  'a generator, before anything': function* () {
    if (true as boolean) throw boom()
    yield latin1Bytes('never')
  },
  'a generator, after startResponse and an empty piece': function* (_environ, startResponse) {
    startResponse('200 OK', [['Content-Length', '7']])
    yield new Uint8Array(0)
    throw boom()
  },
  'an async generator': async function* (_environ, startResponse) {
    startResponse('200 OK', [])
    await Promise.resolve()
    if (true as boolean) throw boom()
    yield latin1Bytes('never')
  },
  'a promise of a generator': async (_environ, startResponse) => {
    startResponse('200 OK', [])
    return (function* () {
      if (true as boolean) throw boom()
      yield latin1Bytes('never')
    })()
  },
  'a wrong startResponse': (_environ, startResponse) => {
    startResponse('200', [])
    return []
  },
  'no iterable': () => 'text' as never,
}

describe('before the head is sent', () => {
  test.each(Object.keys(failing))(
    '%s: 500, logged once with the request and the stack',
    async (kind) => {
      const { request, errors } = recording({ target: '/a?b=c' })
      const answer = await callForAnswer(errorHandler()(failing[kind]!), request)
      expect(answer.status).toBe('500 Internal Server Error')
      expect(answer.body).toBe('500 Internal Server Error\n')
      expect(answer.header('Content-Length')).toBe('26')
      expect(answer.header('Content-Encoding')).toBeUndefined()
      expect(answer.complete).toBe(true)
      expect(answer.complaints).toEqual([])
      expect(errors).toHaveLength(1)
      expect(errors[0]).toMatch(
        /^Error (while answering|in the body of the response to) GET \/a\?b=c HTTP\/1\.1\n {2}\w*Error: /,
      )
      expect(errors[0]).toContain('    at ')
    },
  )

  test.each([null, undefined, 'text', 0, Symbol('s')])('%s may be thrown too', async (thrown) => {
    const { request, errors } = recording()
    const answer = await callForAnswer(
      errorHandler()(() => {
        throw thrown
      }),
      request,
    )
    expect(answer.body).toBe('500 Internal Server Error\n')
    expect(errors).toHaveLength(1)
  })

  test('the body is closed once, and what it throws on top is logged', async () => {
    let closed = 0
    const { request, errors } = recording()
    const answer = await callForAnswer(
      errorHandler()((_environ, startResponse) => {
        startResponse('200 OK', [])
        const body = (function* () {
          if (true as boolean) throw boom()
          yield latin1Bytes('never')
        })()
        return Object.assign(body, {
          close: () => {
            closed++
            throw new Error('in close')
          },
        })
      }),
      request,
    )
    expect(answer.status).toMatch(/^500/)
    expect(closed).toBe(1)
    expect(answer.complaints).toEqual([])
    expect(errors.map((text) => text.split('\n')[0])).toEqual([
      'Error in the body of the response to GET / HTTP/1.1',
      'Error in close() after GET / HTTP/1.1',
    ])
  })

  test('a HEAD request gets the head without a body', async () => {
    const answer = await callForAnswer(errorHandler()(failing['a function']!), { method: 'HEAD' })
    expect(answer.status).toMatch(/^500/)
    expect(answer.header('Content-Length')).toBe('26')
    expect(answer.body).toBe('')
  })

  test('the Python traceback of an error takes the place of its stack', async () => {
    const traceback =
      'Traceback (most recent call last):\n  File "app.py", line 3\nValueError: no\n'
    const { request, errors } = recording()
    await callForAnswer(
      errorHandler()(() => {
        throw Object.assign(boom(), { traceback })
      }),
      request,
    )
    expect(errors[0]).toBe(
      'Error while answering GET / HTTP/1.1\n  Traceback (most recent call last):\n    ' +
        'File "app.py", line 3\n  ValueError: no\n',
    )
  })

  test('the id of the request is logged with it, harmless whatever somebody has put there', async () => {
    const { request, errors } = recording()
    let id: unknown
    const app = errorHandler()((environ) => {
      environ['monoceros.request_id'] = id as string
      throw boom()
    })
    for (id of ['a-1', '', 7, `\n${'x'.repeat(1000)}`]) await callForAnswer(app, request)
    expect(errors.map((text) => text.split('\n', 1)[0])).toEqual([
      'Error while answering GET / HTTP/1.1, request a-1',
      'Error while answering GET / HTTP/1.1',
      'Error while answering GET / HTTP/1.1',
      `Error while answering GET / HTTP/1.1, request \\u000a${'x'.repeat(127)}`,
    ])
  })

  test('a message cannot forge a log entry or reach the terminal', async () => {
    const { request, errors } = recording({ target: '/\x1b[2J' })
    await callForAnswer(
      errorHandler()(() => {
        throw new Error('x\n[2026-01-01] forged\x1b[31m\r\ny')
      }),
      request,
    )
    const lines = errors[0]!.trimEnd().split('\n')
    expect(lines.slice(1).every((line) => line.startsWith('  '))).toBe(true)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    expect(errors[0]).not.toMatch(/[\x00-\x09\x0b-\x1f]/)
  })
})

describe('after the head is sent', () => {
  const late: WSGIApplication = async function* (_environ, startResponse) {
    startResponse('200 OK', [])
    yield latin1Bytes('begun')
    throw new Error('late')
  }

  test('the error goes on to the server, which logs it; we do not', async () => {
    const { request, errors } = recording()
    const answer = await callForAnswer(errorHandler()(late), request)
    expect(answer.status).toBe('200 OK')
    expect(answer.body).toBe('begun')
    expect(answer.complete).toBe(false)
    expect(String(answer.error)).toBe('Error: late')
    expect(errors).toEqual([])
  })

  test('a log of the user gets it once', async () => {
    const entries: ErrorEntry[] = []
    await callForAnswer(errorHandler({ log: (entry) => entries.push(entry) })(late))
    expect(entries.map(({ during, request }) => [during, request])).toEqual([
      ['body', 'GET / HTTP/1.1'],
    ])
  })

  test('the same with write()', async () => {
    const answer = await callForAnswer(
      errorHandler()((_environ, startResponse) => {
        startResponse('200 OK', [])(latin1Bytes('begun'))
        throw new Error('late')
      }),
    )
    expect(answer.body).toBe('begun')
    expect(String(answer.error)).toBe('Error: late')
  })
})

test('errors about a client that is gone go on unlogged', async () => {
  const { request, errors } = recording()
  const error = Object.assign(new Error('gone'), { code: 'input-broken' })
  const answer = await callForAnswer(
    errorHandler()(() => Promise.reject(error)),
    request,
  )
  expect(answer.error).toBe(error)
  expect(errors).toEqual([])
})

test('what an application answers passes untouched', async () => {
  const app: WSGIApplication = (_environ, startResponse) => {
    startResponse('404 Not Found', [['X-A', 'b']])
    return [latin1Bytes('mine')]
  }
  const answer = await callForAnswer(errorHandler()(app))
  expect([answer.status, answer.headers, answer.body]).toEqual([
    '404 Not Found',
    [['X-A', 'b']],
    'mine',
  ])
})

describe('the form of the answer', () => {
  test.each([
    [undefined, 'text/plain; charset=utf-8'],
    ['*/*', 'text/plain; charset=utf-8'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text/html; charset=utf-8'],
    ['application/json', 'application/json'],
    ['text/html;q=0.5, application/json;q=0.9', 'application/json'],
    ['text/plain;q=0, */*', 'text/html; charset=utf-8'],
    ['image/png', 'text/plain; charset=utf-8'],
    ['\x00;;q=,,,', 'text/plain; charset=utf-8'],
    ['a/b,'.repeat(10_000), 'text/plain; charset=utf-8'],
  ])('Accept: %s', async (accept, type) => {
    for (const debug of [false, true]) {
      const answer = await callForAnswer(errorHandler({ debug })(failing['a function']!), {
        environ: { HTTP_ACCEPT: accept },
      })
      expect(answer.header('Content-Type')).toBe(type)
      expect(answer.header('Cache-Control')).toBe('no-store')
      expect(answer.body.includes('boom')).toBe(debug)
      if (type === 'application/json')
        expect(JSON.parse(answer.body)).toMatchObject({ status: 500 })
    }
  })

  test('JSON has the shape that the option gives it', async () => {
    const json = ({ status }: { status: number }) => ({ code: status })
    const answer = await callForAnswer(errorHandler({ json })(failing['a function']!), {
      environ: { HTTP_ACCEPT: 'application/json' },
    })
    expect(answer.body).toBe('{"code":500}\n')
  })

  test('render answers as the user likes, or leaves it to us', async () => {
    const render = (error: unknown) =>
      String(error).includes('boom')
        ? { status: 503, headers: [['X-A', 'b']] as [string, string][], body: 'ü' }
        : undefined
    const answer = await callForAnswer(errorHandler({ render })(failing['a function']!))
    expect(answer.status).toBe('503 Service Unavailable')
    expect(answer.headers).toEqual([
      ['Content-Type', 'text/html; charset=utf-8'],
      ['X-A', 'b'],
      ['Content-Length', '2'],
    ])
    const other = await callForAnswer(
      errorHandler({ render })(() => Promise.reject(new Error('other'))),
    )
    expect(other.body).toBe('500 Internal Server Error\n')
  })

  test.each([
    () => {
      throw new Error('in render')
    },
    () => ({ body: 'x', headers: [['Bad Name', 'x']] as [string, string][] }),
    () => ({ body: 'x', status: '5' }),
    () => ({ body: 5 as unknown as string }),
  ])('a render that fails is logged, and the plain answer given: %#', async (render) => {
    const { request, errors } = recording()
    const answer = await callForAnswer(
      errorHandler({ render, debug: true })(failing['a function']!),
      request,
    )
    expect(answer.body).toBe('500 Internal Server Error\n')
    expect(errors).toHaveLength(2)
    expect(errors[0]).toContain('option "render" of errorHandler')
  })

  test.each([
    [{ status: 404, expose: true }, '404 Not Found', '404 Not Found\n\nno such <cart>\n', 0],
    [{ status: 404 }, '500 Internal Server Error', '500 Internal Server Error\n', 1],
    [{ status: 503, expose: false }, '503 Service Unavailable', '503 Service Unavailable\n', 1],
    [
      { status: 200, expose: true },
      '500 Internal Server Error',
      '500 Internal Server Error\n\nno such <cart>\n',
      1,
    ],
    [
      { status: '404', expose: true },
      '500 Internal Server Error',
      '500 Internal Server Error\n\nno such <cart>\n',
      1,
    ],
  ])('an error with %j', async (properties, status, body, times) => {
    const { request, errors } = recording()
    const error = Object.assign(new Error('no such <cart>'), properties)
    const answer = await callForAnswer(
      errorHandler()(() => Promise.reject(error)),
      request,
    )
    expect([answer.status, answer.body, errors.length]).toEqual([status, body, times])
  })

  test('the headers of an exposed error are sent, but not those of a body', async () => {
    const error = Object.assign(new Error('who?'), {
      status: 401,
      expose: true,
      headers: {
        'WWW-Authenticate': 'Basic',
        'Content-Length': '3',
        Connection: 'x',
        'Retry-After': 5,
      },
    })
    const answer = await callForAnswer(errorHandler()(() => Promise.reject(error)))
    expect(answer.header('WWW-Authenticate')).toBe('Basic')
    expect(answer.header('Retry-After')).toBe('5')
    expect(answer.header('Connection')).toBeUndefined()
    expect(answer.header('Content-Length')).toBe(String(answer.body.length))
  })

  test('an exposed message is escaped in HTML', async () => {
    const error = Object.assign(new Error('<script>'), { status: 400, expose: true })
    const answer = await callForAnswer(
      errorHandler()(() => Promise.reject(error)),
      {
        environ: { HTTP_ACCEPT: 'text/html' },
      },
    )
    expect(answer.body).toContain('<p>&lt;script&gt;</p>')
  })
})

describe('a log of the user', () => {
  test.each([
    () => {
      throw new Error('log is full')
    },
    () => Promise.reject(new Error('log is full')),
  ])('that fails costs no answer, and is told of: %#', async (log) => {
    const { request, errors } = recording()
    const answer = await callForAnswer(errorHandler({ log })(failing['a function']!), request)
    expect(answer.status).toMatch(/^500/)
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatch(/^errorHandler: the option log failed:\s+Error: log is full/)
  })
})

describe('the debug page', () => {
  const page = async (error: unknown, request: TestRequest = {}) => {
    const answer = await callForAnswer(
      errorHandler({ debug: true, log: () => {} })(() => {
        throw error
      }),
      { ...request, environ: { HTTP_ACCEPT: 'text/html', ...request.environ } },
    )
    return answer
  }

  test('shows message, source lines, causes and the errors of an AggregateError', async () => {
    const cause = new TypeError('the cause')
    const error = new AggregateError([new Error('one'), new Error('two')], 'several', { cause })
    const { body } = await page(error)
    for (const text of [
      'AggregateError',
      'several',
      'Error 1 of 2: Error',
      'Error 2 of 2: Error',
      'Caused by: TypeError',
    ])
      expect(body).toContain(text)
    expect(body).toMatch(
      /<mark>\s*\d+ {6}const cause = new TypeError\(&#39;the cause&#39;\)<\/mark>/,
    )
    expect(body).toContain('error-handler.test.ts')
  })

  test('says that a message has a variable undecoded, and which of them it shows as text', async () => {
    const app = errorHandler({ debug: true, log: () => {} })((environ) => {
      throw new Error(`No article ${environ.PATH_INFO}`)
    })
    const hint =
      'The message of the error has PATH_INFO undecoded, so "ü" became "Ã¼": ' +
      'use decodeText(environ.PATH_INFO).'
    const bodies: string[] = []
    for (const accept of ['text/html', 'text/plain', 'application/json']) {
      const environ = { HTTP_ACCEPT: accept }
      const { body } = await callForAnswer(app, { target: '/p%C3%BC', environ })
      bodies.push(decodeText(body).replaceAll('&quot;', '"').replaceAll('\\"', '"'))
    }
    for (const body of bodies) expect(body).toContain(hint)
    expect(bodies[0]).toContain('PATH_INFO: shown as text, which decodeText() makes of')
    // As plain text, without the source of this test.
    const plain = { HTTP_ACCEPT: 'text/plain' }
    const decoded = await page(new Error('No pü'), { target: '/p%C3%BC', environ: plain })
    expect(decodeText(decoded.body)).toContain('No pü')
    expect(decoded.body).not.toContain('decodeText')
  })

  test('frames of node_modules and of Node.js have no source and are folded', async () => {
    const { body } = await page(new Error('x'))
    const places = body.match(/<p class="place">.*<\/p>/g)!
    expect(places[0]).toContain('error-handler.test.ts')
    expect(places.join()).not.toContain('node_modules')
    expect(body.slice(body.indexOf('<details>'))).toMatch(/at .*\/node_modules\//)
  })

  test('a cause that goes in a circle ends', async () => {
    const error = new Error('round')
    error.cause = new Error('and round', { cause: error })
    const { body } = await page(error)
    expect(body.match(/<h2>Caused by/g)).toHaveLength(1)
  })

  test('escapes everything', async () => {
    const evil = '<script>alert("x")</script>'
    const error = Object.assign(new Error(evil), {
      name: evil,
      code: evil,
      traceback: evil,
      cause: evil,
    })
    const { body } = await page(error, {
      target: `/?${evil}`,
      headers: [['X-Evil', evil]],
      environ: { [`monoceros.${evil}`]: evil },
    })
    expect(body).not.toContain('<script')
    expect(body).not.toContain('"x"')
    expect(body).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;')
  })

  test('a strict policy, whose hash is that of the style', async () => {
    const { headers } = await page(boom())
    expect(DEBUG_STYLE_HASH).toBe(
      `sha256-${createHash('sha256').update(DEBUG_STYLE).digest('base64')}`,
    )
    const policy = headers.find(([name]) => name === 'Content-Security-Policy')![1]
    expect(policy).toContain(`default-src 'none'; style-src '${DEBUG_STYLE_HASH}'`)
    expect(policy).not.toContain('unsafe')
  })

  test('no secret of the request is shown', async () => {
    const request: TestRequest = {
      target: '/login?user=ann&token=SECRET1&%70assword=SECRET2&a=b#key=SECRET3',
      headers: [
        ['Authorization', 'Bearer SECRET4'],
        ['Cookie', 'session=SECRET5; theme=SECRET6; SECRET7'],
        ['Proxy-Authorization', 'Basic SECRET8'],
        ['X-API-Key', 'SECRET9'],
        ['X-CSRF-Token', 'SECRET10'],
        ['Referer', 'https://user:SECRET11@example.com/?api_key=SECRET12'],
        ['X-Forwarded-Thing', 'Bearer SECRET13'],
        ['X-Data', 'eyJTRUNSRVQ.SECRET14.SECRET15'],
      ],
      environ: {
        'app.password': 'SECRET16',
        'app.secrets': ['SECRET17'],
        DATABASE: { password: 'SECRET18' },
      },
    }
    const { body: html } = await page(boom(), request)
    // Without the sources, for those of this test are among them.
    const body = html.replace(/<pre>.*?<\/pre>/gs, '')
    expect(body.match(/SECRET\d+/g)).toEqual(null)
    expect(body).toContain('user=ann')
    expect(body).toContain('theme=********')
    const text = await page(boom(), { ...request, environ: { HTTP_ACCEPT: 'text/plain' } })
    expect(text.body).toContain('GET /login?user=ann&token=********&')
    expect(text.body).not.toContain('SECRET')
    expect(body).toContain('<td>HTTP_AUTHORIZATION</td>')
  })

  test('a Python traceback is shown as such', async () => {
    const { body } = await page(Object.assign(boom(), { traceback: 'Traceback:\n  File "a.py"' }))
    expect(body).toContain('<pre>Traceback:\n  File &quot;a.py&quot;</pre>')
  })

  test('a message that looks like a frame leads to no file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'monoceros-error-'))
    try {
      const file = join(folder, 'private.js')
      // In two parts, for the page shows the source of this test too.
      const treasure = ['TREA', 'SURE'].join('')
      writeFileSync(file, `const hidden = "${treasure}"\n`)
      const frame = `    at steal (${file}:1:1)`
      const real = new Error('real')
      const forged = [
        new Error(`x\n${frame}`),
        Object.assign(new Error(`x\n${frame}`), { message: 'changed' }),
        new Error(`\n${frame}\n`),
      ]
      for (const error of forged) expect((await page(error)).body).not.toContain(treasure)
      // The test can fail: as a frame of the stack it would be shown.
      real.stack = `Error: real\n${frame}`
      expect((await page(real)).body).toContain(treasure)
      real.stack = `Error: real\n    at f (/etc/passwd:1:1)\n    at g (/proc/self/environ:1:1)`
      expect((await page(real)).body).not.toContain('root:')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('what throws when it is looked at is survived', async () => {
    const nasty = new Proxy(new Error('x'), {
      get() {
        throw new Error('do not look')
      },
    })
    expect((await page(nasty)).status).toMatch(/^500/)
  })

  test('is not shown for an exposed error below 500, nor unless debug is true itself', async () => {
    const { body } = await page(Object.assign(boom(), { status: 404, expose: true }))
    expect(body).not.toContain('environ')
    for (const debug of ['false', 1, 'true', null]) {
      expect(() => errorHandler({ debug } as never)).toThrow(
        'errorHandler: debug must be true or false',
      )
    }
  })
})

test('a wrong option is refused when it is set', () => {
  expect(() => errorHandler({ log: 'file.log' } as never)).toThrow(
    'errorHandler: log must be a function, not the string "file.log"',
  )
})

test.each([
  [
    'at f (file:///srv/app.ts:3:7)',
    { name: 'f', file: '/srv/app.ts', line: 3, column: 7, origin: 'application' },
  ],
  [
    'at async f (/srv/node_modules/x/y.js:3:7)',
    { name: 'f', file: '/srv/node_modules/x/y.js', origin: 'library' },
  ],
  ['at /srv/a b.js:1:2', { name: '', file: '/srv/a b.js', line: 1, origin: 'application' }],
  [
    'at async file:///srv/a.mjs?v=2:1:2',
    { name: '', file: '/srv/a.mjs', line: 1, origin: 'application' },
  ],
  ['at node:internal/process:1:2', { file: 'node:internal/process', origin: 'node' }],
  ['at new Foo (node:fs:1:2)', { name: 'new Foo', file: 'node:fs', origin: 'node' }],
  ['at Array.map (<anonymous>)', { file: '', origin: 'node' }],
  ['at Promise.all (index 0)', { file: '', origin: 'node' }],
  [
    'at Object.<anonymous> (/srv/a(1).js:1:2)',
    { name: 'Object.<anonymous>', file: '/srv/a(1).js', line: 1 },
  ],
])('the frame %s', (line, frame) => {
  expect(stackFrames(`Error: x\n    ${line}`, 'x')).toEqual([expect.objectContaining(frame)])
})

test('a body that is too large is an answer and no failure: nothing is logged', async () => {
  const { request, errors } = recording({
    input: new RequestInput(bytesSource(latin1Bytes('x'.repeat(11)))),
  })
  const app: WSGIApplication = async (environ) => {
    await environ['wsgi.input'].read()
    return []
  }
  const answer = await callForAnswer(bodyLimit({ maxBytes: 10 })(errorHandler()(app)), request)
  expect([answer.status, errors]).toEqual(['413 Content Too Large', []])
})

test('NaN, thrown in the middle of a response, goes on as it is', async () => {
  const { request, errors } = recording()
  const app: WSGIApplication = function* (_environ, startResponse) {
    startResponse('200 OK', [])
    yield latin1Bytes('a')
    throw Number.NaN
  }
  const answer = await callForAnswer(errorHandler()(app), request)
  expect([answer.complete, answer.error, errors]).toEqual([false, Number.NaN, []])
})

test('an asynchronous render is refused in the log, and what it rejects with ends nothing', async () => {
  const { request, errors } = recording()
  const rejected: unknown[] = []
  const listen = (reason: unknown) => void rejected.push(reason)
  process.on('unhandledRejection', listen)
  try {
    const render = (() => Promise.reject(new Error('on purpose'))) as never
    const answer = await callForAnswer(errorHandler({ render })(failing['a function']!), request)
    expect([answer.status, answer.body]).toEqual([
      '500 Internal Server Error',
      '500 Internal Server Error\n',
    ])
    await new Promise((resolve) => setTimeout(resolve, 0))
  } finally {
    process.off('unhandledRejection', listen)
  }
  expect(errors.join('')).toContain('must not be asynchronous')
  expect(rejected).toEqual([])
})

test('masking takes time in proportion to the text, whatever it is', () => {
  // CPU time, because the machine may be busy.
  const before = process.cpuUsage()
  expect(maskedText('eyJaaaaa-'.repeat(20_000))).toHaveLength(180_000)
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(5000)
})

test('the debug page shows an environ with an object that throws when it is looked at', async () => {
  const hostile = {
    get constructor() {
      throw new Error('on purpose')
    },
  }
  const answer = await callForAnswer(errorHandler({ debug: true })(failing['a function']!), {
    headers: [['Accept', 'text/html']],
    environ: { hostile },
  })
  expect(answer.body).toContain('<td>hostile</td><td>an object</td>')
})
