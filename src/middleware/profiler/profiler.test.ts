import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  callForAnswer,
  environOf,
  type TestRequest,
} from '../../../tests/support/call-application.ts'
import { latin1Bytes } from '../../wsgi/text.ts'
import type { WSGIApplication, WSGIBody } from '../../wsgi/types.ts'
import { DurationHistogram } from './duration-histogram.ts'
import { type ProfilerOptions, profiler, type RequestProfile } from './profiler.ts'
import { serverTiming } from './request-timing.ts'
import { routeOf } from './route-summary.ts'

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/**
 * A clock that is turned on by hand. Only `performance.now` is replaced: the rest of `performance`
 * would be missing.
 */
function useClock(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 0 })
  vi.spyOn(performance, 'now').mockImplementation(() => Date.now())
}

const hello: WSGIApplication = (_environ, startResponse) => {
  startResponse('200 OK', [['Content-Length', '5']])
  return [latin1Bytes('hello')]
}

const sleep = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** Runs an application with a clock that is turned on as far as it takes. */
async function profiled(
  app: WSGIApplication,
  request: TestRequest = {},
  options: ProfilerOptions = {},
) {
  useClock()
  const profiles: RequestProfile[] = []
  const middleware = profiler({ onProfile: (profile) => profiles.push(profile), ...options })
  const answering = callForAnswer(middleware(app), request)
  await vi.advanceTimersByTimeAsync(1000)
  return { answer: await answering, profile: profiles[0]!, profiles, report: middleware.report() }
}

describe('the times of a request', () => {
  test('of an application that waits before its head, before its body and within it', async () => {
    const { profile, answer } = await profiled(async (_environ, startResponse) => {
      await sleep(10)
      startResponse('201 Created', [])
      await sleep(20)
      return (async function* () {
        await sleep(30)
        yield latin1Bytes('abc')
        await sleep(40)
        yield latin1Bytes('de')
      })()
    })
    expect(profile).toMatchObject({
      route: 'GET /',
      status: 201,
      outcome: 'complete',
      bytes: 5,
      toHead: 10,
      toFirstByte: 60,
      total: 100,
      application: 100,
      client: 0,
      entries: [],
    })
    expect(answer.body).toBe('abcde')
  })

  test('waiting for the client is not the application’s time', async () => {
    useClock()
    const profiles: RequestProfile[] = []
    const app = profiler({ onProfile: (profile) => profiles.push(profile) })(
      (_environ, startResponse) => {
        startResponse('200 OK', [])
        return (async function* () {
          await sleep(1)
          yield latin1Bytes('a')
          await sleep(2)
          yield latin1Bytes('b')
        })()
      },
    )
    // A server whose client takes 50 ms for each piece.
    const serve = async () => {
      const body = (await app(
        environOf(),
        () => () => Promise.resolve(),
      )) as AsyncIterable<Uint8Array> & WSGIBody
      for await (const _piece of body) await sleep(50)
      body.close?.()
    }
    const served = serve()
    await vi.advanceTimersByTimeAsync(1000)
    await served
    expect(profiles).toMatchObject([{ application: 3, client: 100, total: 103, toFirstByte: 1 }])
  })

  test('write() that waits for the client counts as the client’s', async () => {
    const app: WSGIApplication = async (_environ, startResponse) => {
      await sleep(3)
      await startResponse('200 OK', [])(latin1Bytes('x'))
      await sleep(4)
      return []
    }
    // A server whose client takes 50 ms for what is written.
    const slowly: WSGIApplication = (environ, startResponse) =>
      middleware(app)(environ, (status, headers) => {
        const write = startResponse(status, headers)
        return async (data) => {
          await write(data)
          await sleep(50)
        }
      })
    const profiles: RequestProfile[] = []
    const middleware = profiler({ onProfile: (profile) => profiles.push(profile) })
    useClock()
    const answering = callForAnswer(slowly)
    await vi.advanceTimersByTimeAsync(1000)
    await answering
    expect(profiles).toMatchObject([
      { application: 7, client: 50, total: 57, toHead: 3, toFirstByte: 3 },
    ])
  })

  test('of an application that throws', async () => {
    const { profile, answer, report } = await profiled(async () => {
      await sleep(10)
      throw new Error('x')
    })
    expect(profile).toMatchObject({
      status: 500,
      outcome: 'failed',
      toHead: null,
      toFirstByte: null,
      total: 10,
    })
    expect(answer.error).toBeInstanceOf(Error)
    expect(report).toMatchObject([{ count: 1, failures: 1 }])
  })

  test('how busy the process was is a share', async () => {
    const profiles: RequestProfile[] = []
    await callForAnswer(profiler({ onProfile: (profile) => profiles.push(profile) })(hello))
    const { eventLoopUtilisation } = profiles[0]!
    if (eventLoopUtilisation !== null) {
      expect(eventLoopUtilisation).toBeGreaterThanOrEqual(0)
      expect(eventLoopUtilisation).toBeLessThanOrEqual(1)
    }
  })
})

describe('Server-Timing', () => {
  test('has the time until the head and the application’s own entries, beside a header of its own', async () => {
    const { answer, profile } = await profiled(async (environ, startResponse) => {
      const timing = environ['monoceros.timing']!
      await sleep(5)
      timing.mark('auth', 'checked "it"')
      expect(await timing.measure('db', () => sleep(7).then(() => 'rows'))).toBe('rows')
      expect(timing.measure('sync', () => 1)).toBe(1)
      startResponse('200 OK', [['Server-Timing', 'mine']])
      timing.mark('too-late')
      return []
    })
    expect(answer.header('Server-Timing')).toBe(
      'mine, app;dur=12, auth;desc="checked \\"it\\"";dur=5, db;dur=7, sync;dur=0',
    )
    expect(profile.entries).toMatchObject([
      { name: 'auth', start: 0, duration: 5 },
      { name: 'db', start: 5, duration: 7 },
      { name: 'sync' },
      { name: 'too-late', duration: 12 },
    ])
  })

  test('can be left out', async () => {
    const { answer } = await profiled(hello, {}, { serverTiming: false })
    expect(answer.headers).toEqual([['Content-Length', '5']])
  })

  test('leaves the application’s own list of headers as it is', async () => {
    const headers: [string, string][] = [['Content-Length', '0']]
    await profiled((_environ, startResponse) => {
      startResponse('200 OK', headers)
      return []
    })
    expect(headers).toEqual([['Content-Length', '0']])
  })

  test('what is measured may throw; it is noted, and thrown on', async () => {
    const { profile } = await profiled(async (environ, startResponse) => {
      const timing = environ['monoceros.timing']!
      const error = new Error('x')
      expect(() =>
        timing.measure('sync', () => {
          throw error
        }),
      ).toThrow(error)
      await expect(timing.measure('async', () => Promise.reject(error))).rejects.toBe(error)
      return hello(environ, startResponse)
    })
    expect(profile.entries.map(({ name }) => name)).toEqual(['sync', 'async'])
  })

  test.each(['', 'a b', 'a;b', 'a"', 'a\r\nX: y', 'é', 5, 'x'.repeat(65)])(
    'the name %j is refused',
    async (name) => {
      const { answer } = await profiled((environ) => {
        environ['monoceros.timing']!.mark(name as string)
        return []
      })
      expect(String(answer.error)).toContain('must be a token of at most 64 characters')
    },
  )

  test('a loop that marks does not grow without end', async () => {
    const { profile, answer } = await profiled((environ, startResponse) => {
      for (let i = 0; i < 1000; i++) environ['monoceros.timing']!.mark(`m${i}`)
      return hello(environ, startResponse)
    })
    expect(profile.entries).toHaveLength(50)
    expect(answer.header('Server-Timing')!.length).toBeLessThan(2000)
  })

  test('any description is one quoted string', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (description) => {
        const header = serverTiming([{ name: 'x', description, duration: 1.23456 }])
        expect(header).toMatch(/^x(;desc="([^"\\]|\\["\\])*")?;dur=1\.235$/)
        expect(header).toMatch(/^[\x20-\x7e]*$/)
      }),
    )
  })
})

describe('the report', () => {
  const request = (target: string): TestRequest => ({ target })

  test('sums up by route, what took most time first', async () => {
    useClock()
    const profile = profiler()
    const app = profile(async (environ, startResponse) => {
      await sleep(environ.PATH_INFO.startsWith('/cart') ? 100 : 10)
      return hello(environ, startResponse)
    })
    const answers = ['/a', '/cart/1', '/cart/2', '/a', '/a'].map((target) =>
      callForAnswer(app, request(target)),
    )
    await vi.advanceTimersByTimeAsync(1000)
    await Promise.all(answers)
    const report = profile.report()
    expect(report).toMatchObject([
      { route: 'GET /cart/:id', count: 2, failures: 0, total: 200, mean: 100, max: 100 },
      { route: 'GET /a', count: 3, total: 30, mean: 10, max: 10 },
    ])
    profile.reset()
    expect(profile.report()).toEqual([])
  })

  test('has a bounded number of routes', async () => {
    const profile = profiler({ maxRoutes: 3 })
    const app = profile(hello)
    for (const letter of 'abcdefghij') await callForAnswer(app, request(`/${letter}`))
    const report = profile.report()
    expect(report).toHaveLength(4)
    expect(report.find(({ route }) => route === '(others)')?.count).toBe(7)
    await callForAnswer(app, request('/a'))
    expect(profile.report().find(({ route }) => route === 'GET /a')?.count).toBe(2)
  })

  test('is not used up by clients that try paths and methods', async () => {
    const profile = profiler({ maxRoutes: 3 })
    const app = profile((environ, startResponse) => {
      if (environ.PATH_INFO === '/named') environ['monoceros.route'] = '/named'
      const known = environ.PATH_INFO === '/' && environ.REQUEST_METHOD === 'GET'
      startResponse(known ? '200 OK' : environ.PATH_INFO === '/' ? '405 No' : '404 No', [])
      return []
    })
    for (let i = 0; i < 10; i++) {
      await callForAnswer(app, { target: `/try-${i}x` })
      await callForAnswer(app, { method: `TRY${i}` })
    }
    await callForAnswer(app)
    await callForAnswer(app, { target: '/named' })
    const counts = Object.fromEntries(profile.report().map(({ route, count }) => [route, count]))
    expect(counts).toEqual({ '(404)': 10, '(405)': 10, 'GET /': 1, '(others)': 1 })
  })

  test('takes the route that the application names, or the option', async () => {
    const named: WSGIApplication = (environ, startResponse) => {
      environ['monoceros.route'] = '/user/:name'
      return hello(environ, startResponse)
    }
    expect((await profiled(named, request('/user/ann'))).profile.route).toBe('GET /user/:name')
    const route = () => 'all'
    expect((await profiled(named, {}, { route })).profile.route).toBe('all')
    const failing = () => {
      throw new Error('x')
    }
    expect((await profiled(named, {}, { route: failing })).profile.route).toBe('GET /user/:name')
  })

  test.each([
    ['/cart/17/items', 'GET /cart/:id/items'],
    ['/u/123e4567-e89b-12d3-a456-426614174000', 'GET /u/:id'],
    ['/o/0123456789abcdef01234567', 'GET /o/:id'],
    ['/v2/accede/2026-11', 'GET /v2/accede/2026-11'],
    ['/', 'GET /'],
  ])('the route of %s is %s', (path, route) => {
    expect(routeOf('GET', path)).toBe(route)
  })

  test('quantiles are right to 2.5 %, the mean and the largest exactly', () => {
    const duration = fc.double({ min: 0.002, max: 100_000, noNaN: true })
    fc.assert(
      fc.property(
        fc.array(duration, { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.5, 0.95),
        (durations, share) => {
          const histogram = new DurationHistogram()
          for (const each of durations) histogram.add(each)
          const sorted = durations.toSorted((a, b) => a - b)
          const exact = sorted[Math.ceil(share * sorted.length) - 1]!
          expect(Math.abs(histogram.quantile(share) / exact - 1)).toBeLessThan(0.0255)
          expect(histogram.max).toBe(sorted.at(-1))
          expect(histogram.mean).toBeCloseTo(
            durations.reduce((a, b) => a + b) / durations.length,
            6,
          )
        },
      ),
    )
    const odd = new DurationHistogram()
    expect(odd.quantile(0.5)).toBe(0)
    for (const each of [0, -1, 1e12]) odd.add(each)
    expect(odd.count).toBe(3)
  })
})

test.each([
  () => {
    throw new Error('x')
  },
  () => Promise.reject(new Error('x')),
])('onProfile that fails harms no response, and is told of: %#', async (onProfile) => {
  const errors: string[] = []
  const answer = await callForAnswer(profiler({ onProfile })(hello), {
    errors: { write: (text) => errors.push(text), writelines() {}, flush() {} },
  })
  expect(answer.body).toBe('hello')
  expect(answer.complaints).toEqual([])
  expect(errors).toEqual([expect.stringContaining('profiler: an option failed: Error: x')])
})

test('a wrong head is refused by the server, not by the profiler', async () => {
  const { answer } = await profiled((_environ, startResponse) => {
    startResponse('200 OK', { a: 'b' } as never)
    return []
  })
  expect(String(answer.error)).toContain('the headers must be an array')
})

test('a wrong option is refused when it is set', () => {
  expect(() => profiler({ onProfile: 'x' } as never)).toThrow(
    'profiler: onProfile must be a function',
  )
  expect(() => profiler({ serverTiming: 'no' } as never)).toThrow(
    'profiler: serverTiming must be true or false',
  )
  for (const maxRoutes of [0, -1, 1.5, Number.NaN, 1e9, '5'])
    expect(() => profiler({ maxRoutes } as never)).toThrow(
      'profiler: maxRoutes must be a whole number',
    )
})
