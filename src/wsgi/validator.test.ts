import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import {
  type Answer,
  callForAnswer,
  environOf,
  type TestRequest,
} from '../../tests/support/call-application.ts'
import { Call } from './call.ts'
import { demoApp } from './demo-app.ts'
import { FileWrapper } from './file-wrapper.ts'
import { checkHead, type HeadFacts } from './head-rules.ts'
import { InputError } from './input-stream.ts'
import type { ResponseSink } from './response-sink.ts'
import { latin1Text } from './text.ts'
import type { StartResponse, WSGIApplication, WSGIEnvironment } from './types.ts'
import { ViolationError, validator } from './validator.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const TEXT: [string, string][] = [['Content-Type', 'text/plain']]

/** Applications that are right, each in its own way. */
const applications: Record<string, { app: WSGIApplication; request?: TestRequest }> = {
  'an array': {
    app: (_, startResponse) => {
      startResponse('200 OK', TEXT)
      return [bytes('a'), bytes('b')]
    },
  },
  'an async function': {
    app: async (_, startResponse) => {
      await null
      startResponse('200 OK', TEXT)
      return [bytes('a')]
    },
  },
  'an object': {
    app: {
      wsgi(_, startResponse) {
        startResponse('200 OK', TEXT)
        return [bytes('a')]
      },
    },
  },
  'a generator which starts its response late': {
    app: function* (_: WSGIEnvironment, startResponse: StartResponse) {
      startResponse('200 OK', TEXT)
      yield bytes('')
      yield bytes('a')
    },
  },
  'an async generator': {
    app: async function* (_: WSGIEnvironment, startResponse: StartResponse) {
      startResponse('200 OK', TEXT)
      yield bytes('a')
      await null
      yield bytes('b')
    },
  },
  'a stream of Node.js': {
    app: (_, startResponse) => {
      startResponse('200 OK', TEXT)
      return Readable.from([bytes('a'), bytes('b')])
    },
  },
  'write()': {
    app: async (_, startResponse) => {
      const write = startResponse('200 OK', [...TEXT, ['Content-Length', '3']])
      await write(bytes('a'))
      await write(bytes('b'))
      return [bytes('c')]
    },
  },
  'a second startResponse with an error': {
    app: (_, startResponse) => {
      startResponse('200 OK', [...TEXT, ['Content-Length', '9']])
      startResponse('500 Oh', TEXT, new Error('why'))
      return [bytes('a')]
    },
  },
  'no content': {
    app: (_, startResponse) => {
      startResponse('204 No Content', [])
      return []
    },
  },
  'a redirect without a body': {
    app: (_, startResponse) => {
      startResponse('303 See Other', [['Location', '/']])
      return []
    },
  },
  'HEAD with the body of GET': {
    request: { method: 'HEAD' },
    app: (_, startResponse) => {
      startResponse('200 OK', [...TEXT, ['Content-Length', '1']])
      return [bytes('a')]
    },
  },
  'HEAD without a body': {
    request: { method: 'HEAD' },
    app: (_, startResponse) => {
      startResponse('200 OK', [...TEXT, ['Content-Length', '1']])
      return []
    },
  },
  'every way to read a body': {
    request: { body: 'one\ntwo\nthree\nfour\nfive\nsix' },
    app: async (environ, startResponse) => {
      const input = environ['wsgi.input']
      const read = [
        await input.read(2),
        await input.read1!(2),
        await input.readline(),
        ...(await input.readlines(2)),
        await input.readline(1),
      ]
      for await (const line of input) read.push(line)
      read.push(await input.read(), await input.read(5), await input.readline())
      startResponse('200 OK', TEXT)
      return read
    },
  },
  'an environ made its own': {
    request: { body: 'abc' },
    app: async (environ, startResponse) => {
      const { 'wsgi.input': input } = environ
      environ['wsgi.input'] = Object.assign(Object.create(input), {
        read: async () => bytes('mine'),
      })
      environ['my.thing'] = new Map()
      startResponse('200 OK', TEXT)
      return [await environ['wsgi.input'].read()]
    },
  },
  'a file': {
    request: { fileWrapper: FileWrapper },
    app: (environ, startResponse) => {
      startResponse('200 OK', TEXT)
      let left = 3
      return new environ['wsgi.file_wrapper']!({
        read: (size) => new Uint8Array(Math.min(left-- > 0 ? 2 : 0, size)),
      })
    },
  },
  'its own request passed on as a response': {
    request: { body: 'abc', fileWrapper: FileWrapper },
    app: (environ, startResponse) => {
      startResponse('200 OK', TEXT)
      return new environ['wsgi.file_wrapper']!(environ['wsgi.input'])
    },
  },
}

describe('what is right passes unchanged', () => {
  const seen = ({ status, headers, body, complete, error, complaints }: Answer) => ({
    status,
    headers,
    body,
    complete,
    error,
    complaints,
  })
  test.each(Object.entries(applications))('%s', async (_, { app, request }) => {
    const bare = await callForAnswer(app, request)
    expect([bare.error, bare.complaints]).toEqual([undefined, []])
    expect(seen(await callForAnswer(validator(app), request))).toEqual(seen(bare))
    expect(seen(await callForAnswer(validator(validator(app)), request))).toEqual(seen(bare))
  })
})

test('the demo application passes', async () => {
  const { status, body, error } = await callForAnswer(validator(demoApp))
  expect([status, error]).toEqual(['200 OK', undefined])
  expect(body).toMatch(/^Hello world!/)
})

test('what an application throws itself is passed on as it is', async () => {
  const why = new Error('why')
  const throwing: WSGIApplication[] = [
    () => {
      throw why
    },
    async () => {
      throw why
    },
    // biome-ignore lint/correctness/useYield: it fails before
    function* () {
      throw why
    },
    // biome-ignore lint/correctness/useYield: it fails before
    async function* () {
      throw why
    },
    (_, startResponse) => {
      void startResponse('200 OK', TEXT)(bytes('a'))
      startResponse('500 Oh', TEXT, why) // the head is sent: the server throws it again
      return []
    },
  ]
  for (const app of throwing) expect((await callForAnswer(validator(app))).error).toBe(why)
})

test('an input that breaks off rejects with the error of the server', async () => {
  const { error } = await callForAnswer(
    validator(async (environ) => [await environ['wsgi.input'].read()]),
    {
      environ: {
        'wsgi.input': {
          ...environOf()['wsgi.input'],
          read: () => Promise.reject(new InputError('gone')),
        },
      },
    },
  )
  expect(error).toBeInstanceOf(InputError)
})

test('what is no application is refused at once', () => {
  expect(() => validator({} as WSGIApplication)).toThrow(/an application must be a function/)
})

test('an application that catches what it is told of its mistake can answer for it', async () => {
  const answer = await callForAnswer(
    validator((_, startResponse) => {
      try {
        startResponse('200', TEXT)
      } catch (error) {
        expect(error).toBeInstanceOf(ViolationError)
        startResponse('500 Oh', TEXT, error)
      }
      return [bytes('sorry')]
    }),
  )
  expect(answer).toMatchObject({ status: '500 Oh', body: 'sorry', error: undefined })
})

describe('streams', () => {
  /** A sink that takes one piece, and no more until it is told; like a client who does not read. */
  function slowSink() {
    const events: string[] = []
    let ready: (() => void) | null = null
    const sink: ResponseSink<HeadFacts> = {
      checkHead,
      respond: (_, body) => void events.push(`respond ${latin1Text(body)}`),
      start: () => void events.push('start'),
      data: (piece) => {
        events.push(`data ${latin1Text(piece)}`)
        return false
      },
      whenReady: (callback) => {
        ready = callback
      },
      finish: () => void events.push('finish'),
      failed: (error) => void events.push(`failed ${error}`),
      broken: (error) => void events.push(`broken ${error}`),
      complain: (error) => void events.push(`complain ${error}`),
    }
    return {
      events,
      sink,
      go: () => {
        const callback = ready
        ready = null
        callback?.()
      },
    }
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))

  /** Gives pieces for ever, and notes what becomes of it. */
  function endless(events: string[], kind: 'sync' | 'async'): WSGIApplication {
    return (_, startResponse) => {
      startResponse('200 OK', TEXT)
      const body =
        kind === 'sync'
          ? (function* () {
              try {
                for (let i = 0; ; i++) yield bytes(`${i}`)
              } finally {
                events.push('finally')
              }
            })()
          : (async function* () {
              try {
                for (let i = 0; ; i++) yield bytes(`${i}`)
              } finally {
                events.push('finally')
              }
            })()
      return Object.assign(body, {
        close: () => {
          events.push('close')
          return Promise.reject(new Error('in close'))
        },
      })
    }
  }

  test.each(['sync', 'async'] as const)(
    'a piece is asked for when the client wants it, and a client who leaves ends the %s body once',
    async (kind) => {
      const { events, sink, go } = slowSink()
      const call = new Call(validator(endless(events, kind)), environOf(), sink, false)
      call.run()
      await settled()
      expect(events).toEqual(['start', 'data 0'])
      go()
      await settled()
      expect(events).toEqual(['start', 'data 0', 'data 1'])
      call.cancel()
      await settled()
      const end = kind === 'sync' ? ['finally', 'close'] : ['close', 'finally']
      const last = events.slice(3)
      expect(last.toSorted()).toEqual([...end, 'complain Error: in close'].toSorted())
    },
  )

  test('a client who leaves before startResponse was called is no mistake of the application', async () => {
    for (const early of [true, false]) {
      const { events, sink } = slowSink()
      let goOn = () => {}
      const waiting = new Promise<void>((resolve) => {
        goOn = resolve
      })
      async function* body(startResponse: StartResponse) {
        await waiting
        startResponse('200 OK', [...TEXT, ['Content-Length', '5']])
        if (early) return
        yield bytes('a')
      }
      const call = new Call(
        validator((_, startResponse) => body(startResponse)),
        environOf(),
        sink,
        false,
      )
      call.run()
      await settled()
      call.cancel()
      goOn()
      await settled()
      expect(events).toEqual([])
    }
  })

  test('write() waits for the client', async () => {
    const { events, sink, go } = slowSink()
    const app = validator(async (_, startResponse) => {
      const write = startResponse('200 OK', TEXT)
      await write(bytes('a'))
      events.push('written')
      return []
    })
    new Call(app, environOf(), sink, false).run()
    await settled()
    expect(events).toEqual(['start', 'data a'])
    go()
    await settled()
    expect(events).toEqual(['start', 'data a', 'written', 'finish'])
  })
})

test("the server is blamed for its own error stream's promise, not the application", async () => {
  const { error } = await callForAnswer(
    validator((environ, startResponse) => {
      environ['wsgi.errors'].write('a')
      startResponse('200 OK', TEXT)
      return []
    }),
    { errors: { write: async () => {}, writelines() {}, flush() {} } },
  )
  expect(error).toMatchObject({
    offender: 'server',
    rule: 'Input and Error Streams',
    code: 'wsgi-violation',
  })
})
