import { Readable } from 'node:stream'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  callForAnswer,
  environOf,
  type TestRequest,
} from '../../../tests/support/call-application.ts'
import { Call } from '../../wsgi/call.ts'
import { ClientGoneError } from '../../wsgi/client-gone.ts'
import { latin1Bytes } from '../../wsgi/text.ts'
import type { WSGIApplication, WSGIBody } from '../../wsgi/types.ts'
import { type ResponseTimeoutError, type TimeoutOptions, timeout } from './timeout.ts'

afterEach(() => {
  vi.useRealTimers()
})

/** A promise that is kept by hand. */
function byHand<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((keep, breaks) => {
    resolve = keep
    reject = breaks
  })
  return { promise, resolve, reject }
}

/** Runs with a clock that is turned on as far as it takes. */
async function run(options: TimeoutOptions, app: WSGIApplication, request: TestRequest = {}) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const errors: string[] = []
  const answering = callForAnswer(timeout(options)(app), {
    errors: { write: (text) => errors.push(text), writelines() {}, flush() {} },
    ...request,
  })
  await vi.advanceTimersByTimeAsync(60_000)
  const answer = await answering
  expect(vi.getTimerCount()).toBe(0)
  return { answer, errors }
}

const sleep = (seconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, seconds * 1000))

describe('an application that answers in time', () => {
  const apps: Record<string, WSGIApplication> = {
    'an array': (_environ, startResponse) => {
      startResponse('200 OK', [])
      return [latin1Bytes('hello')]
    },
    'a promise': async (_environ, startResponse) => {
      await sleep(0.9)
      startResponse('200 OK', [])
      return [latin1Bytes('hello')]
    },
    'a generator': function* (_environ, startResponse) {
      startResponse('200 OK', [])
      yield latin1Bytes('he')
      yield latin1Bytes('llo')
    },
    'an async generator, that goes on for long': async function* (_environ, startResponse) {
      startResponse('200 OK', [])
      yield latin1Bytes('he')
      await sleep(5)
      yield latin1Bytes('llo')
    },
    'write(), and then nothing for long': async (_environ, startResponse) => {
      await startResponse('200 OK', [])(latin1Bytes('he'))
      await sleep(5)
      return [latin1Bytes('llo')]
    },
  }
  test.each(Object.keys(apps))('%s: its answer, and no timer is left', async (kind) => {
    const { answer, errors } = await run({ seconds: 1 }, apps[kind]!)
    expect([answer.status, answer.body, answer.complete]).toEqual(['200 OK', 'hello', true])
    expect(errors).toEqual([])
  })

  test('and one that throws: its error', async () => {
    const error = new Error('mine')
    expect((await run({ seconds: 1 }, () => Promise.reject(error))).answer.error).toBe(error)
    const generator: WSGIApplication = async function* (_environ, startResponse) {
      startResponse('200 OK', [])
      yield new Uint8Array(0)
      throw error
    }
    expect((await run({ seconds: 1 }, generator)).answer.error).toBe(error)
  })
})

describe('an application that does not begin in time', () => {
  const slow: Record<string, WSGIApplication> = {
    'before startResponse': async (_environ, startResponse) => {
      await sleep(2)
      startResponse('200 OK', [])
      return [latin1Bytes('late')]
    },
    'after startResponse': async (_environ, startResponse) => {
      startResponse('200 OK', [['Content-Type', 'image/png']])
      await sleep(2)
      return [latin1Bytes('late')]
    },
    'in a generator': async function* (_environ, startResponse) {
      startResponse('200 OK', [])
      yield new Uint8Array(0)
      await sleep(2)
      yield latin1Bytes('late')
    },
    'half in the call, half in its body': async (_environ, startResponse) => {
      await sleep(0.6)
      startResponse('200 OK', [])
      return (async function* () {
        await sleep(0.6)
        yield latin1Bytes('late')
      })()
    },
    'with a late error': async () => {
      await sleep(2)
      throw Object.assign(new Error('stopped'), { name: 'AbortError' })
    },
    'without an end': () => new Promise<WSGIBody>(() => {}),
  }
  test.each(Object.keys(slow))('%s: 504, with a line in the error log', async (kind) => {
    const { answer, errors } = await run({ seconds: 1 }, slow[kind]!, { target: '/a' })
    expect([answer.status, answer.body, answer.complete]).toEqual([
      '504 Gateway Timeout',
      '504 Gateway Timeout\n',
      true,
    ])
    expect(answer.header('Content-Type')).toBe('text/plain; charset=utf-8')
    expect(answer.complaints).toEqual([])
    expect(errors).toEqual(['The application did not begin its response within 1 s: "GET /a"\n'])
  })

  test('the answer is 503 where that is asked for, and HEAD gets no body', async () => {
    const { answer } = await run({ seconds: 1, status: 503 }, slow['without an end']!, {
      method: 'HEAD',
    })
    expect([answer.status, answer.body]).toEqual(['503 Service Unavailable', ''])
  })

  test('what it returns later is dropped and closed, once', async () => {
    const result = byHand<WSGIBody>()
    let closed = 0
    const { answer } = await run({ seconds: 1 }, () => result.promise)
    expect(answer.status).toMatch(/^504/)
    result.resolve(
      Object.assign([latin1Bytes('late')], {
        close: () => {
          closed++
        },
      }),
    )
    await result.promise
    expect(closed).toBe(1)
  })

  test('its body is told to return and closed, once, though it waits', async () => {
    const seen: string[] = []
    const { answer } = await run({ seconds: 1 }, (_environ, startResponse) => {
      startResponse('200 OK', [])
      return {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise<never>(() => {}),
          return: async () => {
            seen.push('return')
            return { done: true as const, value: undefined }
          },
        }),
        close: () => {
          seen.push('close')
        },
      }
    })
    expect(answer.status).toMatch(/^504/)
    expect(seen).toEqual(['return', 'close'])
  })

  test('its late error is told of, unless it comes of the timeout', async () => {
    const result = byHand<WSGIBody>()
    const { errors } = await run({ seconds: 1 }, () => result.promise)
    result.reject(new Error('late'))
    await result.promise.catch(() => {})
    expect(errors[1]).toMatch(/^After the timeout of "GET \/": Error: late\n/)
  })

  test('its late startResponse and write() are refused with the timeout', async () => {
    const refusals: unknown[] = []
    const { answer } = await run({ seconds: 1 }, async (_environ, startResponse) => {
      const write = startResponse('200 OK', [])
      await sleep(2)
      await write(latin1Bytes('late')).catch((error: unknown) => refusals.push(error))
      try {
        startResponse('200 OK', [], new Error('x'))
      } catch (error) {
        refusals.push(error)
      }
      return []
    })
    expect(answer.body).toBe('504 Gateway Timeout\n')
    expect(refusals).toMatchObject([{ code: 'response-timeout' }, { code: 'response-timeout' }])
  })

  test('its signal is aborted with the reason', async () => {
    let signal: AbortSignal | undefined
    await run({ seconds: 1 }, (environ) => {
      signal = environ['monoceros.timeout.signal']!
      expect(signal.aborted).toBe(false)
      return new Promise<WSGIBody>(() => {})
    })
    expect(signal!.reason).toMatchObject({ code: 'response-timeout', status: 504 })
  })

  test('onTimeout is told instead of the error log, and may fail', async () => {
    const told: ResponseTimeoutError[] = []
    const { answer, errors } = await run(
      {
        seconds: 1,
        onTimeout: (error) => {
          told.push(error)
          throw new Error('in onTimeout')
        },
      },
      slow['without an end']!,
    )
    expect(told).toMatchObject([{ waitedFor: 'head', seconds: 1 }])
    expect(answer.status).toMatch(/^504/)
    expect(errors).toEqual([expect.stringContaining('in onTimeout')])
  })
})

describe('a body that comes to a standstill', () => {
  const halting: WSGIApplication = async function* (_environ, startResponse) {
    startResponse('200 OK', [])
    yield latin1Bytes('a')
    await sleep(1.5)
    yield latin1Bytes('b')
    await sleep(3)
    yield latin1Bytes('c')
  }

  test('is broken off after the time for a piece', async () => {
    const { answer, errors } = await run({ seconds: 1, pieceSeconds: 2 }, halting)
    expect([answer.status, answer.body, answer.complete]).toEqual(['200 OK', 'ab', false])
    expect(answer.error).toMatchObject({ code: 'response-timeout', waitedFor: 'piece', seconds: 2 })
    expect(errors[0]).toContain('did not give the next piece of its response within 2 s')
  })

  test('may take all the time that there is no limit for', async () => {
    expect((await run({ seconds: 1 }, halting)).answer.body).toBe('abc')
  })
})

describe('a client that goes away', () => {
  /** A call whose client can be made to leave, and what was written and complained of. */
  function leaving(app: WSGIApplication, options: TimeoutOptions) {
    const told: unknown[] = []
    const note = (error: unknown) => void told.push(error)
    const environ = environOf({ errors: { write: note, writelines() {}, flush() {} } })
    const ignored = () => {}
    const call = new Call(
      timeout(options)(app),
      environ,
      {
        checkHead: () => ({ status: 200, contentLength: -1 }),
        respond: ignored,
        start: ignored,
        data: () => true,
        whenReady: ignored,
        finish: ignored,
        failed: note,
        broken: note,
        complain: note,
      },
      false,
    )
    call.run()
    return { call, told, signal: environ['monoceros.timeout.signal']! }
  }

  test('before there is a head aborts the signal, and is no timeout', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    let closed = 0
    const { call, told, signal } = leaving(
      async (_environ, startResponse) => {
        await sleep(2)
        startResponse('200 OK', [])
        return Object.assign([latin1Bytes('late')], { close: () => closed++ })
      },
      { seconds: 1 },
    )
    expect(signal.aborted).toBe(false)
    call.cancel()
    expect(signal.reason).toBeInstanceOf(ClientGoneError)
    await vi.advanceTimersByTimeAsync(5000)
    expect([told, closed, vi.getTimerCount()]).toEqual([[], 1, 0])
  })

  test('while a piece is waited for leaves an error to the server, which has asked for it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const lost = new Error('lost')
    const { call, told, signal } = leaving(
      async function* (_environ, startResponse) {
        startResponse('200 OK', [])
        yield latin1Bytes('a')
        await sleep(0.5)
        throw lost
      },
      { seconds: 1, pieceSeconds: 1 },
    )
    await vi.advanceTimersByTimeAsync(0)
    call.cancel()
    expect(signal.aborted).toBe(true)
    await vi.advanceTimersByTimeAsync(5000)
    expect([told, vi.getTimerCount()]).toEqual([[lost], 0])
  })

  test('after the response is complete aborts nothing', () => {
    const { call, signal } = leaving(
      (_environ, startResponse) => {
        startResponse('200 OK', [])
        return [latin1Bytes('a')]
      },
      { seconds: 1 },
    )
    call.cancel()
    expect(signal.aborted).toBe(false)
  })
})

test('a stream that comes too late lets go of what it holds', async () => {
  const late: Record<string, () => WSGIBody> = {
    ReadableStream: () => new ReadableStream({ cancel: () => void released++ }),
    Readable: () =>
      new Readable({
        read() {},
        destroy(_error, callback) {
          released++
          callback(null)
        },
      }),
  }
  let released = 0
  for (const body of Object.values(late)) {
    const { answer } = await run({ seconds: 1 }, async () => {
      await sleep(2)
      return body()
    })
    expect(answer.status).toMatch(/^504/)
  }
  expect(released).toBe(2)
})

test('an error that throws when it is looked at, after the time was up, is told of and ends nothing', async () => {
  const hostile = {
    get name(): string {
      throw new Error('on purpose')
    },
  }
  const { errors } = await run({ seconds: 1 }, async () => {
    await sleep(2)
    throw hostile
  })
  expect(errors[1]).toContain('reading it throws')
})

test('timers do not keep a process alive', () => {
  const timers: { hasRef(): boolean }[] = []
  const real = globalThis.setTimeout
  const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((
    ...given: Parameters<typeof real>
  ) => {
    const timer = real(...given)
    timers.push(timer)
    return timer
  }) as typeof real)
  try {
    void callForAnswer(timeout({ seconds: 100 })(() => new Promise(() => {})))
  } finally {
    spy.mockRestore()
  }
  expect(timers.map((timer) => timer.hasRef())).toEqual([false])
  for (const timer of timers) clearTimeout(timer as never)
})

test('a wrong option is refused when it is set', () => {
  expect(() => timeout(undefined as never)).toThrow(
    'timeout: seconds must be a number of seconds, not undefined',
  )
  expect(() => timeout({ seconds: '5' } as never)).toThrow(TypeError)
  for (const seconds of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e9]) {
    expect(() => timeout({ seconds })).toThrow(
      `more than 0 and at most 2147482 seconds, not ${seconds}`,
    )
  }
  expect(() => timeout({ seconds: 1, pieceSeconds: 0 })).toThrow('timeout: pieceSeconds')
  expect(() => timeout({ seconds: 1, status: 500 } as never)).toThrow(
    'timeout: status must be 503 or 504',
  )
  expect(() => timeout({ seconds: 1, onTimeout: 'log' } as never)).toThrow(
    'timeout: onTimeout must be a function',
  )
})
