import { describe, expect, test } from 'vitest'
import { callForAnswer, type TestRequest } from '../../../tests/support/call-application.ts'
import type { StartResponse, WSGIApplication, WSGIEnvironment } from '../types.ts'
import { validator } from '../validator.ts'
import type { Rule } from '../wsgi-error.ts'
import { ViolationError } from './violation.ts'

/** A mistake that an application can make, and the same thing done right. */
interface Mistake {
  id: string
  rule: Rule
  /** What the message says of it. */
  gist: RegExp
  request?: TestRequest
  wrong: Application
  right: Application
}

/** Many of these break the types too, as a JavaScript application can. */
type Application = (environ: WSGIEnvironment, startResponse: StartResponse) => unknown

const START: Rule = 'The start_response() Callable'
const WRITE: Rule = 'The write() Callable'
const DETAILS: Rule = 'Specification Details'
const LENGTH: Rule = 'Handling the Content-Length Header'
const STREAMS: Rule = 'Input and Error Streams'

const TEXT: [string, string][] = [['Content-Type', 'text/plain']]
const bytes = (text: string) => new TextEncoder().encode(text)
const loose = (value: unknown) => value as never

/** Answers with that head and a short body. */
const head =
  (...args: unknown[]): Application =>
  (_, startResponse) => {
    startResponse(...(args as [string, [string, string][]]))
    return [bytes('x')]
  }
/** Answers with that status and headers, and no body. */
const bare =
  (status: string, headers: unknown): Application =>
  (_, startResponse) => {
    startResponse(status, loose(headers))
    return []
  }
/** Answers with that body. */
const body =
  (make: () => unknown): Application =>
  (_, startResponse) => {
    startResponse('200 OK', TEXT)
    return make()
  }
/** Does something with `write()`, and answers. */
const written =
  (use: (write: (...args: unknown[]) => Promise<void>) => unknown, headers = TEXT): Application =>
  async (_, startResponse) => {
    const write = startResponse('200 OK', headers)
    await use(loose(write))
    return []
  }
/** Does something with the environ, and answers. */
const using =
  (use: (environ: WSGIEnvironment) => unknown): Application =>
  async (environ, startResponse) => {
    await use(environ)
    startResponse('200 OK', TEXT)
    return [bytes('x')]
  }
const ok = head('200 OK', TEXT)
const input = (environ: WSGIEnvironment) =>
  environ['wsgi.input'] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
const errors = (environ: WSGIEnvironment) =>
  environ['wsgi.errors'] as unknown as Record<string, (...args: unknown[]) => unknown>

// biome-ignore format: a table
const mistakes: Mistake[] = [
  // What startResponse is called with
  { id: 'start-one-argument', rule: START, gist: /two or three arguments, not 1/,
    wrong: head('200 OK'),
    right: ok,
  },
  { id: 'start-four-arguments', rule: START, gist: /not 4/,
    wrong: head('200 OK', TEXT, null, 1),
    right: head('200 OK', TEXT, null),
  },
  { id: 'status-number', rule: START, gist: /not the number 200/, wrong: head(200, TEXT), right: ok },
  { id: 'status-without-reason', rule: START, gist: /space after its number/,
    wrong: head('200', TEXT),
    right: head('200 ', TEXT),
  },
  { id: 'status-of-two-digits', rule: START, gist: /three digits/, wrong: head('20 OK', TEXT), right: ok },
  { id: 'status-interim', rule: START, gist: /final status is 200 or more/,
    wrong: bare('103 Early Hints', []),
    right: bare('204 No Content', []),
  },
  { id: 'status-line-break', rule: START, gist: /control character/,
    wrong: head('200 OK\r\nX: y', TEXT),
    right: ok,
  },
  { id: 'status-beyond-latin-1', rule: 'Unicode Issues', gist: /beyond latin-1/,
    wrong: head('200 ✓', TEXT),
    right: head('200 \u00e9', TEXT),
  },
  { id: 'headers-object', rule: START, gist: /array of \[name, value\]/,
    wrong: head('200 OK', { 'Content-Type': 'text/plain' }),
    right: ok,
  },
  { id: 'headers-map', rule: START, gist: /not a Map/,
    wrong: head('200 OK', new Map(TEXT)),
    right: head('200 OK', [...new Map(TEXT)]),
  },
  { id: 'headers-of-fetch', rule: START, gist: /not a Headers/,
    wrong: head('200 OK', new Headers(TEXT)),
    right: head('200 OK', [...new Headers(TEXT)]),
  },
  { id: 'header-string', rule: START, gist: /a name and a value/,
    wrong: head('200 OK', ['Content-Type: text/plain']),
    right: ok,
  },
  { id: 'header-of-three', rule: START, gist: /an array of 3/,
    wrong: head('200 OK', [['X', 'a', 'b'], ...TEXT]),
    right: head('200 OK', [['X', 'a'], ['X', 'b'], ...TEXT]),
  },
  { id: 'header-name-number', rule: START, gist: /name of a header must be a string/,
    wrong: head('200 OK', [[1, 'a'], ...TEXT]),
    right: head('200 OK', [['1', 'a'], ...TEXT]),
  },
  { id: 'header-name-colon', rule: START, gist: /not a token/,
    wrong: head('200 OK', [['X:', 'a'], ...TEXT]),
    right: head('200 OK', [['X', 'a'], ...TEXT]),
  },
  { id: 'header-name-punctuation', rule: START, gist: /must not end with - or _/,
    wrong: head('200 OK', [['X-', 'a'], ...TEXT]),
    right: head('200 OK', [['X-Y', 'a'], ...TEXT]),
  },
  { id: 'header-value-number', rule: START, gist: /not the number 5/,
    wrong: head('200 OK', [['X', 5], ...TEXT]),
    right: head('200 OK', [['X', '5'], ...TEXT]),
  },
  { id: 'header-value-line-break', rule: START, gist: /control character/,
    wrong: head('200 OK', [['X', 'a\r\nSet-Cookie: b'], ...TEXT]),
    right: head('200 OK', [['X', 'a'], ...TEXT]),
  },
  { id: 'header-value-beyond-latin-1', rule: 'Unicode Issues', gist: /beyond latin-1/,
    wrong: head('200 OK', [['X', '€'], ...TEXT]),
    right: head('200 OK', [['X', '\u00e9'], ...TEXT]),
  },
  { id: 'header-status', rule: START, gist: /Status is not a header/,
    wrong: head('200 OK', [['Status', '200 OK'], ...TEXT]),
    right: ok,
  },
  { id: 'header-hop-by-hop', rule: 'Other HTTP Features', gist: /Connection/,
    wrong: head('200 OK', [['Connection', 'close'], ...TEXT]),
    right: ok,
  },
  { id: 'header-transfer-encoding', rule: 'Other HTTP Features', gist: /Transfer-Encoding/,
    wrong: head('200 OK', [['Transfer-Encoding', 'chunked'], ...TEXT]),
    right: ok,
  },
  { id: 'content-length-text', rule: LENGTH, gist: /not a number of bytes/,
    wrong: head('200 OK', [['Content-Length', 'one'], ...TEXT]),
    right: head('200 OK', [['Content-Length', '1'], ...TEXT]),
  },
  { id: 'content-length-twice', rule: LENGTH, gist: /given twice/,
    wrong: head('200 OK', [['Content-Length', '1'], ['content-length', '1'], ...TEXT]),
    right: head('200 OK', [['Content-Length', '1'], ...TEXT]),
  },
  { id: 'content-type-twice', rule: START, gist: /Content-Type is given twice/,
    wrong: head('200 OK', [...TEXT, ['content-type', 'text/html']]),
    right: head('200 OK', TEXT),
  },
  { id: 'content-type-missing', rule: START, gist: /without a Content-Type/,
    wrong: head('200 OK', []),
    right: bare('302 Found', [['Location', '/a']]),
  },
  { id: 'content-type-with-204', rule: START, gist: /Content-Type.*204/,
    wrong: bare('204 No Content', TEXT),
    right: bare('204 No Content', []),
  },
  { id: 'content-type-with-304', rule: START, gist: /Content-Type.*304/,
    wrong: bare('304 Not Modified', TEXT),
    right: bare('304 Not Modified', [['ETag', '"a"']]),
  },
  { id: 'content-length-with-204', rule: LENGTH, gist: /204/,
    wrong: bare('204 No Content', [['Content-Length', '3']]),
    right: bare('304 Not Modified', [['Content-Length', '3']]),
  },
  { id: 'body-with-204', rule: DETAILS, gist: /status 204, which has none/,
    wrong: head('204 No Content', []),
    right: bare('204 No Content', []),
  },
  { id: 'body-with-304', rule: DETAILS, gist: /status 304, which has none/,
    wrong: head('304 Not Modified', []),
    right: body(() => [bytes('')]),
  },

  // When it is called
  { id: 'start-twice', rule: START, gist: /startResponse twice/,
    wrong: (_, startResponse) => {
      startResponse('200 OK', TEXT)
      startResponse('500 Oh', TEXT)
      return []
    },
    right: (_, startResponse) => {
      startResponse('200 OK', TEXT)
      startResponse('500 Oh', TEXT, new Error('why'))
      return []
    },
  },
  { id: 'start-twice-error-undefined', rule: START, gist: /startResponse twice/,
    wrong: (_, startResponse) => {
      startResponse('200 OK', TEXT)
      startResponse('500 Oh', TEXT, undefined)
      return []
    },
    right: (_, startResponse) => {
      startResponse('200 OK', TEXT)
      startResponse('500 Oh', TEXT, 'thrown text')
      return []
    },
  },
  { id: 'start-never', rule: START, gist: /ended its body without having called/,
    wrong: () => [],
    right: ok,
  },
  { id: 'start-never-with-body', rule: START, gist: /a piece of its body without/,
    wrong: () => [bytes('x')],
    right: ok,
  },
  { id: 'start-never-async', rule: START, gist: /without having called/,
    wrong: async () => [],
    right: async (_, startResponse) => {
      startResponse('200 OK', TEXT)
      return []
    },
  },
  { id: 'start-after-an-empty-piece', rule: START, gist: /a piece of its body without/,
    wrong: function* (_, startResponse) {
      yield bytes('')
      startResponse('200 OK', TEXT)
      yield bytes('x')
    },
    right: function* (_, startResponse) {
      startResponse('200 OK', TEXT)
      yield bytes('')
      yield bytes('x')
    },
  },
  { id: 'start-refused-and-ignored', rule: START, gist: /refused its head/,
    wrong: (_, startResponse) => {
      try {
        startResponse(loose(200), TEXT)
      } catch {}
      return [bytes('x')]
    },
    right: (_, startResponse) => {
      try {
        startResponse(loose(200), TEXT)
      } catch (error) {
        startResponse('500 Oh', TEXT, error)
      }
      return [bytes('x')]
    },
  },

  // The body
  { id: 'body-undefined', rule: DETAILS, gist: /returned undefined/,
    wrong: body(() => undefined),
    right: body(() => []),
  },
  { id: 'body-null', rule: DETAILS, gist: /returned null/,
    wrong: body(() => null),
    right: body(() => new Set()),
  },
  { id: 'body-string', rule: DETAILS, gist: /returned a string/,
    wrong: body(() => 'text'),
    right: body(() => [bytes('text')]),
  },
  { id: 'body-bytes', rule: DETAILS, gist: /returned bytes/,
    wrong: body(() => bytes('text')),
    right: body(() => [bytes('text')]),
  },
  { id: 'body-buffer', rule: DETAILS, gist: /returned bytes/,
    wrong: body(() => Buffer.from('text')),
    right: body(() => [Buffer.from('text')]),
  },
  { id: 'body-array-buffer', rule: DETAILS, gist: /an ArrayBuffer/,
    wrong: body(() => new ArrayBuffer(2)),
    right: body(() => [new Uint8Array(new ArrayBuffer(2))]),
  },
  { id: 'body-of-fetch', rule: DETAILS, gist: /a Response/,
    wrong: body(() => new Response('a')),
    right: body(() => new Response('a').body),
  },
  { id: 'body-promise-of-nothing', rule: DETAILS, gist: /returned undefined/,
    wrong: body(async () => {}),
    right: body(async () => []),
  },
  { id: 'body-iterator', rule: DETAILS, gist: /an iterator/,
    wrong: body(() => ({ next: () => ({ done: true }) })),
    right: body(() => [bytes('x')].values()),
  },
  { id: 'body-close-no-method', rule: DETAILS, gist: /close of its body must be a method/,
    wrong: body(() => Object.assign([], { close: true })),
    right: body(() => Object.assign([], { close() {} })),
  },
  { id: 'piece-string', rule: DETAILS, gist: /the string "a".*TextEncoder/,
    wrong: body(() => ['a']),
    right: body(() => [bytes('a')]),
  },
  { id: 'piece-number', rule: DETAILS, gist: /the number 1/,
    wrong: body(() => [1]),
    right: body(() => [Uint8Array.of(1)]),
  },
  { id: 'piece-promise', rule: DETAILS, gist: /a promise/,
    wrong: body(() => [Promise.resolve(bytes('a'))]),
    right: body(async function* () {
      yield Promise.resolve(bytes('a'))
    }),
  },
  { id: 'piece-uint16', rule: DETAILS, gist: /Uint16Array/,
    wrong: body(() => [new Uint16Array(1)]),
    right: body(() => [new Uint8Array(new Uint16Array(1).buffer)]),
  },
  { id: 'piece-string-async', rule: DETAILS, gist: /the string "a"/,
    wrong: body(async function* () {
      yield 'a'
    }),
    right: body(async function* () {
      yield bytes('a')
    }),
  },
  { id: 'second-piece-undefined', rule: DETAILS, gist: /of undefined/,
    wrong: body(() => [bytes('a'), undefined]),
    right: body(() => [bytes('a'), bytes('')]),
  },
  { id: 'no-iterator', rule: DETAILS, gist: /instead of an iterator/,
    wrong: body(() => ({ [Symbol.iterator]: () => undefined })),
    right: body(() => ({ [Symbol.iterator]: () => [][Symbol.iterator]() })),
  },
  { id: 'step-promise', rule: DETAILS, gist: /a promise; an asynchronous body/,
    wrong: body(() => ({ [Symbol.iterator]: () => (async function* () {})() })),
    right: body(() => ({ [Symbol.asyncIterator]: () => (async function* () {})() })),
  },
  { id: 'step-no-object', rule: DETAILS, gist: /done and value, not null/,
    wrong: body(() => ({ [Symbol.iterator]: () => ({ next: () => null }) })),
    right: body(() => ({ [Symbol.iterator]: () => ({ next: () => ({ done: true }) }) })),
  },
  { id: 'fewer-than-content-length', rule: LENGTH, gist: /1 bytes, fewer than its Content-Length of 2/,
    wrong: head('200 OK', [['Content-Length', '2'], ...TEXT]),
    right: head('200 OK', [['Content-Length', '1'], ...TEXT]),
  },
  { id: 'more-than-content-length', rule: LENGTH, gist: /more than its Content-Length of 0/,
    wrong: head('200 OK', [['Content-Length', '0'], ...TEXT]),
    right: head('200 OK', [['Content-Length', '1'], ...TEXT]),
  },
  { id: 'text-length-for-bytes', rule: LENGTH, gist: /more than its Content-Length of 1/,
    wrong: (_, startResponse) => {
      startResponse('200 OK', [['Content-Length', String('é'.length)], ...TEXT])
      return [bytes('é')]
    },
    right: (_, startResponse) => {
      startResponse('200 OK', [['Content-Length', '2'], ...TEXT])
      return [bytes('é')]
    },
  },

  // write()
  { id: 'write-string', rule: WRITE, gist: /the string "a".*TextEncoder/,
    wrong: written((write) => write('a')),
    right: written((write) => write(bytes('a'))),
  },
  { id: 'write-nothing', rule: WRITE, gist: /one argument, not 0/,
    wrong: written((write) => write()),
    right: written((write) => write(bytes(''))),
  },
  { id: 'write-two', rule: WRITE, gist: /not 2/,
    wrong: written((write) => write(bytes('a'), 'utf8')),
    right: written((write) => write(bytes('a'))),
  },
  { id: 'write-beyond-content-length', rule: LENGTH, gist: /more than its Content-Length of 1/,
    wrong: written((write) => write(bytes('ab')), [['Content-Length', '1'], ...TEXT]),
    right: written((write) => write(bytes('a')), [['Content-Length', '1'], ...TEXT]),
  },
  { id: 'write-without-content-type', rule: START, gist: /without a Content-Type/,
    wrong: written((write) => write(bytes('a')), []),
    right: written((write) => write(bytes('')), []),
  },
  { id: 'write-within-body', rule: WRITE, gist: /from within its body/,
    wrong: function* (_, startResponse) {
      const write = startResponse('200 OK', TEXT)
      void write(bytes('a'))
      yield bytes('b')
    },
    right: (_, startResponse) => {
      const write = startResponse('200 OK', TEXT)
      void write(bytes('a'))
      return [bytes('b')]
    },
  },

  // wsgi.input and wsgi.errors
  { id: 'read-string', rule: STREAMS, gist: /read\(\) takes a whole number, not the string "2"/, request: { body: 'abc' },
    wrong: using((environ) => input(environ).read!('2')),
    right: using((environ) => input(environ).read!(2)),
  },
  { id: 'read-fraction', rule: STREAMS, gist: /not the number 1.5/, request: { body: 'abc' },
    wrong: using((environ) => input(environ).read!(1.5)),
    right: using((environ) => input(environ).read!(-1)),
  },
  { id: 'read-two-arguments', rule: STREAMS, gist: /at most one argument, not 2/, request: { body: 'abc' },
    wrong: using((environ) => input(environ).read!(1, 2)),
    right: using((environ) => input(environ).read!()),
  },
  { id: 'read1-nan', rule: STREAMS, gist: /NaN/, request: { body: 'abc' },
    wrong: using((environ) => input(environ).read1!(Number.NaN)),
    right: using((environ) => input(environ).read1!(1)),
  },
  { id: 'readline-null', rule: STREAMS, gist: /readline\(\).*null/, request: { body: 'abc' },
    wrong: using((environ) => input(environ).readline!(null)),
    right: using((environ) => input(environ).readline!(undefined)),
  },
  { id: 'readlines-object', rule: STREAMS, gist: /readlines\(\).*an object/, request: { body: 'abc' },
    wrong: using((environ) => input(environ).readlines!({})),
    right: using((environ) => input(environ).readlines!(2)),
  },
  { id: 'errors-write-bytes', rule: STREAMS, gist: /takes text, not an? Uint8Array/,
    wrong: using((environ) => errors(environ).write!(bytes('a'))),
    right: using((environ) => errors(environ).write!('a\n')),
  },
  { id: 'errors-write-error', rule: STREAMS, gist: /not an Error/,
    wrong: using((environ) => errors(environ).write!(new Error('a'))),
    right: using((environ) => errors(environ).write!(String(new Error('a')))),
  },
  { id: 'errors-write-two', rule: STREAMS, gist: /one argument, not 2/,
    wrong: using((environ) => errors(environ).write!('a', 'b')),
    right: using((environ) => errors(environ).write!('ab')),
  },
  { id: 'errors-writelines-number', rule: STREAMS, gist: /iterable of strings, not the number 1/,
    wrong: using((environ) => errors(environ).writelines!(1)),
    right: using((environ) => errors(environ).writelines!('a\n')),
  },
  { id: 'errors-writelines-numbers', rule: STREAMS, gist: /not the number 1/,
    wrong: using((environ) => errors(environ).writelines!([1])),
    right: using((environ) => errors(environ).writelines!(new Set(['1\n']))),
  },
  { id: 'errors-flush-argument', rule: STREAMS, gist: /no argument, not 1/,
    wrong: using((environ) => errors(environ).flush!('a')),
    right: using((environ) => errors(environ).flush!()),
  },
]

/** Errors which went through `wsgi.errors` as a server's own would. */
const listening = {
  write() {},
  writelines: (lines: Iterable<string>) => void [...lines],
  flush() {},
}

function callValidated(app: Application, request: TestRequest = {}) {
  return callForAnswer(validator(app as WSGIApplication), { errors: listening, ...request })
}

describe('a wrong application is named, with the rule it breaks', () => {
  test.each(mistakes)('$id', async ({ wrong, request, rule, gist }) => {
    const { error } = await callValidated(wrong, request)
    expect(error).toBeInstanceOf(ViolationError)
    expect(error).toMatchObject({
      offender: 'application',
      rule,
      message: expect.stringMatching(gist),
    })
    expect((error as Error).message).toMatch(
      /^The application broke the contract: .+ \(PEP 3333, ".+"\)$/,
    )
  })

  test.each(mistakes)('$id, done right', async ({ right, request }) => {
    const answer = await callValidated(right, request)
    expect([answer.error, answer.complaints, answer.complete]).toEqual([undefined, [], true])
  })

  test('each mistake has a name of its own', () => {
    expect(new Set(mistakes.map(({ id }) => id)).size).toBe(mistakes.length)
  })
})

describe('what is wrong only later', () => {
  test('startResponse after the end of the response', async () => {
    let late: StartResponse | undefined
    await callValidated((_, startResponse) => {
      late = startResponse
      startResponse('200 OK', TEXT)
      return []
    })
    expect(() => late!('200 OK', TEXT)).toThrow(
      /The application broke the contract: it called startResponse twice/,
    )
  })

  test('startResponse for the first time after the end of the response', async () => {
    let late: StartResponse | undefined
    await callValidated((_, startResponse) => {
      late = startResponse
      return []
    })
    expect(() => late!('200 OK', TEXT)).toThrow(/after its response had ended/)
  })

  test('write() after the end of the response', async () => {
    let write: ReturnType<StartResponse> | undefined
    await callValidated((_, startResponse) => {
      write = startResponse('200 OK', TEXT)
      return []
    })
    expect(() => write!(bytes('x'))).toThrow(
      /The application broke the contract: it called write\(\) after/,
    )
  })

  test('one generator for two responses', async () => {
    const shared = (function* () {
      yield bytes('x')
    })()
    const app = validator(body(() => shared) as WSGIApplication)
    expect((await callForAnswer(app)).body).toBe('x')
    const { error } = await callForAnswer(app)
    expect(error).toMatchObject({
      offender: 'application',
      rule: DETAILS,
      message: expect.stringContaining('the same iterator for two responses'),
    })
  })

  test('one array for two responses is fine', async () => {
    const shared = [bytes('x')]
    const app = validator(body(() => shared) as WSGIApplication)
    expect((await callForAnswer(app)).body).toBe('x')
    expect(await callForAnswer(app)).toMatchObject({ body: 'x', error: undefined })
  })
})

test('a generator whose piece is refused runs its finally, and is closed once', async () => {
  for (const kind of ['sync', 'async']) {
    const ends: string[] = []
    const make = () => {
      const generator =
        kind === 'sync'
          ? (function* () {
              try {
                yield 'text'
              } finally {
                ends.push('finally')
              }
            })()
          : (async function* () {
              try {
                yield 'text'
              } finally {
                ends.push('finally')
              }
            })()
      return Object.assign(generator, { close: () => void ends.push('close') })
    }
    const { error } = await callValidated(body(make))
    expect(error).toBeInstanceOf(ViolationError)
    expect(ends, kind).toEqual(['finally', 'close'])
  }
})
