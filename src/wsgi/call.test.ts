import { describe, expect, test } from 'vitest'
import { environOf } from '../../tests/support/call-application.ts'
import { waitFor } from '../../tests/support/wait-for.ts'
import { Call } from './call.ts'
import { ClientGoneError } from './client-gone.ts'
import { checkHead, type HeadFacts } from './head-rules.ts'
import { InputError } from './input-stream.ts'
import type { ResponseSink } from './response-sink.ts'
import type { ResponseHeaders, StartResponse, Write, WSGIApplication, WSGIBody } from './types.ts'
import { WSGIError } from './wsgi-error.ts'

type Head = HeadFacts & { line: string }

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (chunk: Uint8Array) => new TextDecoder().decode(chunk)

/** Writes down what it is told: `start 200 OK`, `data abc`, `finish`. */
class RecordingSink implements ResponseSink<Head> {
  readonly events: string[] = []
  readonly errors: unknown[] = []
  readonly complaints: unknown[] = []
  /** Called for every event, before it is written down. */
  onEvent: (event: string) => void = () => {}
  /** Whether the next piece is welcome. */
  open = true
  #waiter: (() => void) | null = null

  get isWaitedFor(): boolean {
    return this.#waiter !== null
  }

  /** The client has taken what there was. */
  drain(): void {
    const waiter = this.#waiter!
    this.#waiter = null
    waiter()
  }

  checkHead(status: string, headers: ResponseHeaders): Head {
    return { ...checkHead(status, headers), line: status }
  }

  respond(head: Head, body: Uint8Array): void {
    this.#tell(`respond ${head.line}: ${text(body)}`)
  }

  start(head: Head): void {
    this.#tell(`start ${head.line}`)
  }

  data(chunk: Uint8Array): boolean {
    this.#tell(`data ${text(chunk)}`)
    return this.open
  }

  whenReady(callback: () => void): void {
    if (this.#waiter !== null) throw new Error('asked again before it had answered')
    this.#waiter = callback
  }

  finish(): void {
    this.#tell('finish')
  }

  failed(error: unknown): void {
    this.errors.push(error)
    this.#tell('failed')
  }

  broken(error: unknown): void {
    this.errors.push(error)
    this.#tell('broken')
  }

  complain(error: unknown): void {
    this.complaints.push(error)
  }

  #tell(event: string): void {
    this.onEvent(event)
    this.events.push(event)
  }
}

interface Running {
  sink: RecordingSink
  call: Call<Head>
  events: string[]
}

function prepare(app: WSGIApplication, method = 'GET'): Running {
  const sink = new RecordingSink()
  const environ = environOf({ method })
  return { sink, call: new Call(app, environ, sink, method === 'HEAD'), events: sink.events }
}

function run(app: WSGIApplication, method = 'GET'): Running {
  const running = prepare(app, method)
  running.call.run()
  return running
}

/** Runs an application and waits until its response has an end. */
async function runToEnd(app: WSGIApplication, method = 'GET'): Promise<Running> {
  const running = run(app, method)
  await waitFor('the end of the response', () =>
    /^(respond|finish|failed|broken)/.test(running.events.at(-1) ?? ''),
  )
  await turn()
  return running
}

/** Lets every promise that can settle do so. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

function messages(errors: unknown[]): string[] {
  return errors.map((error) => (error as Error).message)
}

/** A body of any kind that counts its closings, and whose `finally` it sees. */
function counted<B extends object>(body: B): B & { close(): void; closings: number } {
  const counting = Object.assign(body, { closings: 0, close: () => {} })
  counting.close = () => {
    counting.closings++
  }
  return counting
}

const OK: [string, ResponseHeaders] = ['200 OK', []]

describe('when the head is sent', () => {
  test('a body at hand is answered in one piece, before run returns', () => {
    const { events } = run((_, start) => {
      start(...OK)
      return [bytes('a'), bytes(''), bytes('bc')]
    })
    expect(events).toEqual(['respond 200 OK: abc'])
  })

  test('an array of one piece is passed on without a copy', () => {
    const piece = bytes('same')
    let passed: Uint8Array | undefined
    const { call, sink } = prepare((_, start) => {
      start(...OK)
      return [piece]
    })
    sink.respond = (_, body) => {
      passed = body
    }
    call.run()
    expect(passed).toBe(piece)
  })

  test('a large array is sent piece by piece', () => {
    const large = new Uint8Array(40_000).fill(97)
    const { events } = run((_, start) => {
      start(...OK)
      return [large, large]
    })
    expect(events.map((event) => event.slice(0, 6))).toEqual([
      'start ',
      'data a',
      'data a',
      'finish',
    ])
  })

  test('an empty body is a response all the same', () => {
    const { events } = run((_, start) => {
      start(...OK)
      return []
    })
    expect(events).toEqual(['respond 200 OK: '])
  })

  test.each(['sync', 'async'])(
    'no head goes out before the first piece that is not empty (%s)',
    async (kind) => {
      const seen: number[] = []
      const { call, events } = prepare((_, start) => {
        start(...OK)
        function* pieces() {
          for (const piece of ['', '', 'x', '', 'y']) {
            seen.push(events.length)
            yield bytes(piece)
          }
        }
        return kind === 'sync' ? pieces() : asynchronous(pieces())
      })
      call.run()
      await waitFor('the end', () => events.at(-1) === 'finish')
      expect(seen).toEqual([0, 0, 0, 2, 2])
      expect(events).toEqual(['start 200 OK', 'data x', 'data y', 'finish'])
    },
  )

  test('a generator of nothing but empty pieces gives an empty response', async () => {
    const { events } = await runToEnd((_, start) => {
      start(...OK)
      return asynchronous([bytes(''), bytes('')])
    })
    expect(events).toEqual(['respond 200 OK: '])
  })

  test('a generator may call startResponse when it is first asked', () => {
    const { events } = run(function* (_, start) {
      start('201 Created', [])
      yield bytes('late')
    })
    expect(events).toEqual(['start 201 Created', 'data late', 'finish'])
  })

  test('an async application that is an object is called by its method', async () => {
    class App {
      readonly name = 'object'
      async wsgi(_: unknown, start: StartResponse) {
        await turn()
        start(...OK)
        return [bytes(this.name)]
      }
    }
    expect((await runToEnd(new App())).events).toEqual(['respond 200 OK: object'])
  })

  test.each<[string, WSGIBody]>([
    ['an empty array', []],
    ['an array', [bytes('x')]],
    ['an empty generator', (function* () {})()],
    [
      'a generator',
      (function* () {
        yield bytes('')
      })(),
    ],
    ['an async generator', asynchronous([bytes('x')])],
  ])('a body without a head is refused: %s', async (_, body) => {
    const { events, sink } = await runToEnd(() => body)
    expect(events).toEqual(['failed'])
    expect(messages(sink.errors)[0]).toMatch(
      /without having called startResponse \(PEP 3333, "The start_response/,
    )
  })
})

describe('startResponse', () => {
  test('a second call without an error is refused', () => {
    const { events, sink } = run((_, start) => {
      start(...OK)
      start(...OK)
      return []
    })
    expect(events).toEqual(['failed'])
    expect(messages(sink.errors)[0]).toMatch(/startResponse was called twice/)
  })

  test('a refused call counts: the next needs an error too, and a body cannot follow', () => {
    const { sink } = run((_, start) => {
      expect(() => start('no status', [])).toThrow(WSGIError)
      expect(() => start(...OK)).toThrow(/called twice/)
      return [bytes('x')]
    })
    expect(messages(sink.errors)[0]).toMatch(/although startResponse had refused the head/)
  })

  test('a refused call can be mended with an error', () => {
    const { events } = run((_, start) => {
      try {
        start('200 OK', [['Bad\n', '']])
      } catch (error) {
        start('500 Oops', [], error)
      }
      return [bytes('x')]
    })
    expect(events).toEqual(['respond 500 Oops: x'])
  })

  test('with an error, the head that has not been sent is replaced', () => {
    const { events } = run(function* (_, start) {
      start(...OK)
      yield bytes('')
      start('500 Oops', [], new Error('late'))
      yield bytes('sorry')
    })
    expect(events).toEqual(['start 500 Oops', 'data sorry', 'finish'])
  })

  test('with an error, after the head has been sent, that very error is thrown', () => {
    const late = new Error('late')
    const { events, sink } = run(function* (_, start) {
      start(...OK)
      yield bytes('some')
      start('500 Oops', [], late)
      yield bytes('never')
    })
    expect(events).toEqual(['start 200 OK', 'data some', 'broken'])
    expect(sink.errors).toEqual([late])
  })

  test('null as the error is no error', () => {
    const { sink } = run((_, start) => {
      start(...OK, null)
      start(...OK, null)
      return []
    })
    expect(messages(sink.errors)[0]).toMatch(/called twice/)
  })

  test('a call when the response has ended is refused', async () => {
    let start!: StartResponse
    run((_, given) => {
      start = given
      throw new Error('gone')
    })
    expect(() => start(...OK)).toThrow('gone')
    const error = new Error('other')
    expect(() => start(...OK, error)).toThrow(error)
  })
})

describe('write()', () => {
  test('what it is given comes before the body', () => {
    const { events } = run((_, start) => {
      const write = start(...OK)
      void write(bytes(''))
      void write(bytes('a'))
      void write(bytes('b'))
      return [bytes('c')]
    })
    expect(events).toEqual(['start 200 OK', 'data a', 'data b', 'data c', 'finish'])
  })

  test('it resolves when the client has taken what there was', async () => {
    const steps: string[] = []
    const { call, sink } = prepare(async (_, start) => {
      const write = start(...OK)
      await write(bytes('a'))
      steps.push('on')
      return []
    })
    sink.open = false
    call.run()
    await turn()
    expect(steps).toEqual([])
    sink.drain()
    await turn()
    expect(steps).toEqual(['on'])
    expect(sink.events.at(-1)).toBe('finish')
  })

  test('several that nobody has waited for all resolve', async () => {
    let all: Promise<unknown> | undefined
    const { call, sink } = prepare((_, start) => {
      const write = start(...OK)
      all = Promise.all([write(bytes('a')), write(bytes('b')), write(bytes('c'))])
      return all.then(() => [])
    })
    sink.open = false
    call.run()
    sink.drain()
    await all
    await turn()
    expect(sink.events).toEqual(['start 200 OK', 'data a', 'data b', 'data c', 'finish'])
  })

  test('one within a body does not take the body its turn', async () => {
    const settled: string[] = []
    const { call, sink } = prepare(function* (_, start) {
      const write = start(...OK)
      void write(bytes('w')).then(() => settled.push('write'))
      yield bytes('y')
      yield bytes('z')
    })
    sink.open = false
    call.run()
    expect(sink.events).toEqual(['start 200 OK', 'data w', 'data y'])
    sink.drain()
    await turn()
    expect(settled).toEqual(['write'])
    expect(sink.events.at(-1)).toBe('data z')
    sink.drain()
    expect(sink.events.at(-1)).toBe('finish')
  })

  test('it rejects when the client goes away, while it waits and later', async () => {
    let write!: Write
    let waiting!: Promise<void>
    const { call, sink } = prepare((_, start) => {
      write = start(...OK)
      waiting = write(bytes('a'))
      return new Promise(() => {})
    })
    sink.open = false
    call.run()
    call.cancel()
    await expect(waiting).rejects.toThrow(ClientGoneError)
    await expect(write(bytes('b'))).rejects.toMatchObject({ code: 'client-gone' })
    expect(sink.events).toEqual(['start 200 OK', 'data a'])
  })

  test('it rejects with what has ended the call, and that is told once', async () => {
    const late = new Error('timed out')
    const { call, sink } = prepare(async (_, start) => {
      const write = start(...OK)
      await write(bytes('a'))
      return []
    })
    sink.open = false
    call.run()
    call.fail(late)
    await turn()
    expect(sink.events).toEqual(['start 200 OK', 'data a', 'broken'])
    expect(sink.errors).toEqual([late])
    expect(sink.complaints).toEqual([])
  })

  test('what is no bytes is refused', () => {
    const { sink } = run((_, start) => {
      start(...OK)('text' as unknown as Uint8Array)
      return []
    })
    expect(messages(sink.errors)).toEqual([
      'write() takes a Uint8Array, not the string "text" (PEP 3333, "The write() Callable")',
    ])
  })

  test('after the end it is refused', () => {
    let write!: Write
    run((_, start) => {
      write = start(...OK)
      return [bytes('all')]
    })
    expect(() => write(bytes('more'))).toThrow(/after the response had ended/)
  })

  test('past the declared length it is refused, and what fits is sent', () => {
    const { events, sink } = run((_, start) => {
      const write = start('200 OK', [['Content-Length', '3']])
      void write(bytes('ab'))
      void write(bytes('cd'))
      return []
    })
    // The client has all that it was promised, so the connection goes on; the log hears of the
    // error.
    expect(events).toEqual(['start 200 OK', 'data ab', 'data c', 'finish'])
    expect(sink.errors).toEqual([])
    expect(messages(sink.complaints)[0]).toMatch(/more than its Content-Length of 3/)
  })

  test('past the declared length it is refused each time, and an application that goes on is answered for', () => {
    const refused: string[] = []
    const { events, sink } = run((_, start) => {
      const write = start('200 OK', [['Content-Length', '3']])
      void write(bytes('abc'))
      for (const piece of ['d', '', 'e']) {
        try {
          void write(bytes(piece))
        } catch {
          refused.push(piece)
        }
      }
      return []
    })
    expect(refused).toEqual(['d', 'e'])
    expect(events).toEqual(['start 200 OK', 'data abc', 'finish'])
    expect(sink.complaints).toEqual([])
  })

  test('to HEAD nothing is past the declared length', () => {
    const { events, sink } = run((_, start) => {
      const write = start('200 OK', [['Content-Length', '3']])
      void write(bytes('abcdef'))
      return []
    }, 'HEAD')
    expect(events).toEqual(['start 200 OK', 'finish'])
    expect(sink.complaints).toEqual([])
  })

  test('an error behind the last of the declared bytes leaves the response whole', async () => {
    const { events, sink } = await runToEnd(async (_, start) => {
      await start('200 OK', [['Content-Length', '3']])(bytes('abc'))
      throw new Error('too late')
    })
    expect(events).toEqual(['start 200 OK', 'data abc', 'finish'])
    expect(messages(sink.complaints)).toEqual(['too late'])
  })
})

describe('lengths', () => {
  test.each([['array'], ['generator'], ['async']])(
    'less than declared leaves the response incomplete (%s)',
    async (kind) => {
      const pieces = [bytes('ab')]
      const { events, sink } = await runToEnd((_, start) => {
        start('200 OK', [['Content-Length', '3']])
        return kind === 'array'
          ? pieces
          : kind === 'generator'
            ? pieces.values()
            : asynchronous(pieces)
      })
      expect(events).toEqual(['start 200 OK', 'data ab', 'broken'])
      expect(messages(sink.errors)[0]).toMatch(/gave 2 bytes but declared a Content-Length of 3/)
    },
  )

  test('nothing where something was declared leaves it incomplete too', () => {
    const { events } = run((_, start) => {
      start('200 OK', [['Content-Length', '3']])
      return []
    })
    expect(events).toEqual(['start 200 OK', 'broken'])
  })

  test.each([['array'], ['generator'], ['async']])(
    'more than declared is cut off and complained of (%s)',
    async (kind) => {
      const pieces = [bytes('ab'), bytes('cd'), bytes('ef')]
      const { events, sink } = await runToEnd((_, start) => {
        start('200 OK', [['Content-Length', '3']])
        return kind === 'array'
          ? pieces
          : kind === 'generator'
            ? pieces.values()
            : asynchronous(pieces)
      })
      expect(events).toEqual(['start 200 OK', 'data ab', 'data c', 'finish'])
      expect(messages(sink.complaints)[0]).toMatch(/more than its Content-Length of 3/)
    },
  )

  test('what is declared as 0 bytes sends none', () => {
    const { events, sink } = run(function* (_, start) {
      start('200 OK', [['Content-Length', '0']])
      yield bytes('x')
    })
    expect(events).toEqual(['start 200 OK', 'finish'])
    expect(sink.complaints).toHaveLength(1)
  })

  test('exactly what was declared is complete, however it comes', () => {
    const { events, sink } = run(function* (_, start) {
      start('200 OK', [['Content-Length', '3']])
      yield bytes('ab')
      yield bytes('c')
      yield bytes('')
    })
    expect(events).toEqual(['start 200 OK', 'data ab', 'data c', 'finish'])
    expect(sink.complaints).toEqual([])
  })
})

describe('responses without a body', () => {
  test.each(['204 No Content', '304 Not Modified'])('%s: an array is left out', (status) => {
    expect(
      run((_, start) => {
        start(status, [])
        return [bytes('x')]
      }).events,
    ).toEqual([`respond ${status}: `])
  })

  test.each([
    ['HEAD', '200 OK'],
    ['GET', '204 No Content'],
    ['GET', '304 Not Modified'],
  ])('%s with %s: a generator is left as soon as it has begun', async (method, status) => {
    for (const kind of ['sync', 'async']) {
      const given: string[] = []
      const { events, sink } = await runToEnd((_, start) => {
        start(status, [['Content-Length', '100']])
        function* pieces() {
          try {
            for (const piece of ['', 'a', 'b']) {
              given.push(piece)
              yield bytes(piece)
            }
          } finally {
            given.push('finally')
          }
        }
        return kind === 'sync' ? pieces() : asynchronous(pieces())
      }, method)
      expect(events).toEqual([`start ${status}`, 'finish'])
      expect(given).toEqual(['', 'a', 'finally'])
      expect(sink.complaints).toEqual([])
    }
  })

  test('HEAD: an array is handed over for its length', () => {
    const { events } = run((_, start) => {
      start(...OK)
      return [bytes('length')]
    }, 'HEAD')
    expect(events).toEqual(['respond 200 OK: length'])
  })

  test('HEAD: a declared length need not be given', () => {
    const { events, sink } = run((_, start) => {
      start('200 OK', [['Content-Length', '100']])
      return []
    }, 'HEAD')
    expect(events).toEqual(['respond 200 OK: '])
    expect(sink.complaints).toEqual([])
  })

  test('HEAD: write() sends the head and nothing else', () => {
    const { events } = run((_, start) => {
      const write = start('200 OK', [['Content-Length', '1']])
      void write(bytes('abc'))
      return [bytes('d')]
    }, 'HEAD')
    expect(events).toEqual(['start 200 OK', 'finish'])
  })
})

describe('errors of the application', () => {
  test.each<[string, WSGIApplication]>([
    [
      'when it is called',
      () => {
        throw new Error('boom')
      },
    ],
    ['as a rejection', () => Promise.reject(new Error('boom'))],
    [
      'after startResponse',
      (_, start) => {
        start(...OK)
        throw new Error('boom')
      },
    ],
    [
      'by its generator at once',
      function* (_, start) {
        start(...OK)
        yield bytes('')
        throw new Error('boom')
      },
    ],
    [
      'by its async generator at once',
      async function* (_: unknown, start: StartResponse) {
        start(...OK)
        yield bytes('')
        throw new Error('boom')
      } as WSGIApplication,
    ],
  ])('before the head is sent, the answer is an error: %s', async (_, app) => {
    const { events, sink } = await runToEnd(app)
    expect(events).toEqual(['failed'])
    expect(messages(sink.errors)).toEqual(['boom'])
  })

  test.each(['sync', 'async'])('after the head the response is broken off (%s)', async (kind) => {
    const { events, sink } = await runToEnd((_, start) => {
      start(...OK)
      function* pieces() {
        yield bytes('a')
        throw new Error('boom')
      }
      return kind === 'sync' ? pieces() : asynchronous(pieces())
    })
    expect(events).toEqual(['start 200 OK', 'data a', 'broken'])
    expect(messages(sink.errors)).toEqual(['boom'])
  })

  test.each<[unknown, RegExp]>([
    [undefined, /must return an iterable of Uint8Array, not undefined/],
    [null, /not null/],
    ['text', /not the string "text"/],
    [42, /not the number 42/],
    [bytes('x'), /returned bytes; it must return an iterable of bytes: put them in an array/],
    [{}, /not an object/],
    [function* generator() {}, /not the function generator/],
    [
      ['text'],
      /must be made of Uint8Array, not of the string "text"; encode text with a TextEncoder/,
    ],
    [[bytes('x'), 1], /not of the number 1/],
    [[null], /not of null/],
    [['a', 'b'].values(), /not of the string "a"/],
    [new Map([[1, 2]]), /not of an Array/],
    [[new Float64Array(1)], /not of a Float64Array/],
    [asynchronous(['text']), /not of the string "text"/],
  ])(
    'a body that is %j is refused, and the message says what it should be',
    async (body, message) => {
      for (const late of [false, true]) {
        const { events, sink } = await runToEnd((_, start) => {
          start(...OK)
          return (late ? Promise.resolve(body) : body) as unknown as WSGIBody
        })
        expect(events).toEqual(['failed'])
        expect(messages(sink.errors)[0]).toMatch(message)
        if (isOnce(body)) break
      }
    },
  )

  test('what is thrown may be anything', () => {
    for (const thrown of [undefined, null, 0, 'text']) {
      const { events, sink } = run(() => {
        throw thrown
      })
      expect(events).toEqual(['failed'])
      expect(sink.errors).toEqual([thrown])
    }
  })

  test('the body of the wrong kind is closed all the same', () => {
    const body = counted({})
    run((_, start) => {
      start(...OK)
      return body as unknown as WSGIBody
    })
    expect(body.closings).toBe(1)
  })
})

describe('close()', () => {
  test.each<[string, () => object]>([
    ['an array', () => [bytes('a'), bytes('b')]],
    ['an empty array', () => []],
    ['a large array', () => [new Uint8Array(50_000), new Uint8Array(50_000)]],
    ['an iterable', () => [bytes('a')].values()],
    ['an async iterable', () => asynchronous([bytes('a')])],
    ['an array of the wrong kind', () => [1]],
    ['an iterable that throws', () => failing(false)],
    ['an async iterable that throws', () => failing(true)],
    [
      'an iterable that cannot begin',
      () => ({
        [Symbol.iterator]: () => {
          throw new Error('boom')
        },
      }),
    ],
    [
      'an async iterable that cannot begin',
      () => ({
        [Symbol.asyncIterator]: () => {
          throw new Error('boom')
        },
      }),
    ],
  ])('is called once, after the last word: %s', async (_, make) => {
    for (const method of ['GET', 'HEAD']) {
      for (const late of [false, true]) {
        const body = counted(make())
        let atClose: string[] = []
        const { call, sink } = prepare((_, start) => {
          start(...OK)
          return (late ? Promise.resolve(body) : body) as unknown as WSGIBody
        }, method)
        const close = body.close
        body.close = () => {
          atClose = [...sink.events]
          close()
        }
        call.run()
        await waitFor('close()', () => body.closings > 0)
        await turn()
        expect(body.closings).toBe(1)
        expect(atClose).toEqual(sink.events)
        expect(atClose.at(-1)).toMatch(/^(respond|finish|failed|broken)/)
      }
    }
  })

  test('is called as a method of its body', () => {
    let self: unknown
    const body = Object.assign([bytes('a')], {
      close(this: unknown) {
        self = this
      },
    })
    run((_, start) => {
      start(...OK)
      return body
    })
    expect(self).toBe(body)
  })

  test('is called once when the client goes while the body is waited for by its promise', async () => {
    const body = counted([bytes('a')])
    let give!: (body: WSGIBody) => void
    const { call, sink } = run((_, start) => {
      start(...OK)
      return new Promise<WSGIBody>((resolve) => {
        give = resolve
      })
    })
    call.cancel()
    call.cancel()
    give(body)
    await turn()
    expect(body.closings).toBe(1)
    expect(sink.events).toEqual([])
    expect(sink.complaints).toEqual([])
  })

  test('is called at once when the client goes while a piece is waited for', async () => {
    let returned = 0
    const body = counted({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<Uint8Array>>(() => {}),
        return: () => {
          returned++
          return Promise.resolve({ done: true as const, value: undefined })
        },
      }),
    })
    const { call, sink } = run((_, start) => {
      start(...OK)
      return body
    })
    await turn()
    expect(body.closings).toBe(0)
    call.cancel()
    expect([returned, body.closings]).toEqual([1, 1])
    await turn()
    call.cancel()
    expect([returned, body.closings]).toEqual([1, 1])
    expect(sink.events).toEqual([])
  })

  test.each(['sync', 'async'])(
    'is called at once when the client goes while it takes no more (%s)',
    async (kind) => {
      const ended: string[] = []
      function* pieces() {
        try {
          yield bytes('a')
          ended.push('went on')
          yield bytes('b')
        } finally {
          ended.push('finally')
        }
      }
      const body = counted(kind === 'sync' ? pieces() : asynchronous(pieces()))
      const { call, sink } = prepare((_, start) => {
        start(...OK)
        return body
      })
      sink.open = false
      call.run()
      await waitFor('the client to be waited for', () => sink.isWaitedFor)
      call.cancel()
      await turn()
      expect(body.closings).toBe(1)
      expect(ended).toEqual(['finally'])
      expect(sink.events).toEqual(['start 200 OK', 'data a'])
      expect(sink.complaints).toEqual([])
    },
  )

  test.each(['start', 'data'])('is called once when the client goes within %s', async (moment) => {
    for (const kind of ['sync', 'async']) {
      let finallies = 0
      function* pieces() {
        try {
          yield bytes('a')
          yield bytes('b')
        } finally {
          finallies++
        }
      }
      const body = counted(kind === 'sync' ? pieces() : asynchronous(pieces()))
      const { call, sink } = prepare((_, start) => {
        start(...OK)
        return body
      })
      sink.onEvent = (event) => {
        if (event.startsWith(moment)) call.cancel()
      }
      call.run()
      await turn()
      expect([body.closings, finallies]).toEqual([1, 1])
      expect(sink.events).toEqual(
        moment === 'start' ? ['start 200 OK'] : ['start 200 OK', 'data a'],
      )
      expect(sink.complaints).toEqual([])
    }
  })

  test.each(['write', 'nothing'])(
    'is called once when the client goes while a generator runs, through its %s',
    async (way) => {
      let finallies = 0
      let cancel = () => {}
      function* pieces(write: Write) {
        try {
          if (way === 'write') void write(bytes('w'))
          else cancel()
          yield bytes('a')
        } finally {
          finallies++
        }
      }
      let body!: ReturnType<typeof counted<Generator<Uint8Array>>>
      const { call, sink } = prepare((_, start) => {
        body = counted(pieces(start(...OK)))
        return body
      })
      cancel = () => call.cancel()
      sink.onEvent = cancel
      call.run()
      expect([body.closings, finallies]).toEqual([1, 1])
      expect(sink.complaints).toEqual([])
    },
  )

  test('is called once when the client goes within the application, or when it begins the body', () => {
    let cancel = () => {}
    for (const within of ['application', 'body'] as const) {
      let returned = 0
      let begun = 0
      const body = counted({
        [Symbol.iterator]: () => {
          begun++
          cancel()
          return {
            next: () => ({ done: false as const, value: bytes('a') }),
            return: () => {
              returned++
              return { done: true as const, value: undefined }
            },
          }
        },
      })
      const { call, sink } = prepare((_, start) => {
        start(...OK)
        if (within === 'application') cancel()
        return body
      })
      cancel = () => call.cancel()
      call.run()
      expect([body.closings, begun, returned]).toEqual([1, 1, 1])
      expect(sink.events).toEqual([])
    }
  })

  test('is called once when the call is ended from outside', async () => {
    for (const at of ['promise', 'piece', 'drain'] as const) {
      const body = counted({
        async *[Symbol.asyncIterator]() {
          yield bytes('a')
          await new Promise(() => {})
        },
      })
      let give!: () => void
      const given = new Promise<void>((resolve) => {
        give = resolve
      })
      const { call, sink } = prepare(async (_, start) => {
        start(...OK)
        if (at === 'promise') await given
        return body
      })
      sink.open = at !== 'drain'
      call.run()
      await turn()
      call.fail(new Error('timed out'))
      give()
      await turn()
      expect(body.closings).toBe(1)
      expect(sink.events.at(-1)).toBe(at === 'promise' ? 'failed' : 'broken')
      expect(sink.complaints).toEqual([])
    }
  })

  test('an error in it, or in a finally, is complained of and nothing else', async () => {
    for (const late of [false, true]) {
      const body = Object.assign(
        (function* () {
          try {
            yield bytes('ab')
            yield bytes('c')
          } finally {
            // biome-ignore lint/correctness/noUnsafeFinally: this is what is tested
            throw new Error('in finally')
          }
        })(),
        {
          close: () => {
            const error = new Error('in close')
            if (late) return Promise.reject(error)
            throw error
          },
        },
      )
      const { events, sink } = await runToEnd((_, start) => {
        start('200 OK', [['Content-Length', '1']])
        return body
      })
      expect(events).toEqual(['start 200 OK', 'data a', 'finish'])
      expect(messages(sink.complaints).slice(1)).toEqual(['in finally', 'in close'])
    }
  })

  test.each(['respond', 'finish', 'data'])(
    'is called once when the sink itself fails at %s',
    (moment) => {
      const body = counted(moment === 'respond' ? [bytes('a')] : [bytes('a')].values())
      const { call, sink } = prepare((_, start) => {
        start(...OK)
        return body
      })
      sink.onEvent = (event) => {
        if (event.startsWith(moment)) throw new Error('the sink')
      }
      call.run()
      expect(body.closings).toBe(1)
      expect(messages([...sink.errors, ...sink.complaints])).toEqual(['the sink'])
    },
  )

  test('an iterator that has thrown or ended is not told to return', async () => {
    for (const ending of ['throws', 'ends']) {
      for (const key of [Symbol.iterator, Symbol.asyncIterator]) {
        let returned = 0
        const iterator = {
          next: () => {
            if (ending === 'throws') throw new Error('boom')
            return { done: true, value: undefined }
          },
          return: () => {
            returned++
            return { done: true, value: undefined }
          },
        }
        await runToEnd((_, start) => {
          start(...OK)
          return { [key]: () => iterator } as unknown as WSGIBody
        })
        expect(returned).toBe(0)
      }
    }
  })
})

describe('the client is gone', () => {
  test('nothing more is sent, and what the application stumbles over then is not complained of', async () => {
    for (const error of [new ClientGoneError(), new InputError('gone')]) {
      let fail!: (error: unknown) => void
      const { call, sink } = run(
        () =>
          new Promise((_, reject) => {
            fail = reject
          }),
      )
      call.cancel()
      fail(error)
      await turn()
      expect(sink.events).toEqual([])
      expect(sink.complaints).toEqual([])
    }
  })

  test('another error of the application is complained of', async () => {
    let fail!: (error: unknown) => void
    const { call, sink } = run(
      () =>
        new Promise((_, reject) => {
          fail = reject
        }),
    )
    call.cancel()
    fail(new Error('a bug'))
    await turn()
    expect(messages(sink.complaints)).toEqual(['a bug'])
  })

  test('an application that has not begun its response may do so, for nobody', async () => {
    let go!: () => void
    const begun: unknown[] = []
    const { call, sink } = run(async (_, start) => {
      await new Promise<void>((resolve) => {
        go = resolve
      })
      begun.push(start(...OK))
      return [bytes('x')]
    })
    call.cancel()
    go()
    await turn()
    expect(begun).toHaveLength(1)
    expect(sink.events).toEqual([])
    expect(sink.complaints).toEqual([])
  })
})

test.each(['sync', 'async'])(
  'a client that takes one piece at a time is waited for (%s)',
  async (kind) => {
    let asked = 0
    function* pieces() {
      for (const piece of ['a', 'b', 'c']) {
        asked++
        yield bytes(piece)
      }
    }
    const { call, sink } = prepare((_, start) => {
      start(...OK)
      return kind === 'sync' ? pieces() : asynchronous(pieces())
    })
    sink.open = false
    call.run()
    for (const wanted of [1, 2, 3]) {
      await waitFor('the client to be waited for', () => sink.isWaitedFor)
      expect(asked).toBe(wanted)
      sink.drain()
    }
    await waitFor('the end', () => sink.events.at(-1) === 'finish')
  },
)

function asynchronous<T>(pieces: Iterable<T>): AsyncGenerator<Uint8Array> {
  return (async function* () {
    for (const piece of pieces) yield piece as Uint8Array
  })()
}

function failing(isAsync: boolean): WSGIBody {
  function* pieces() {
    yield bytes('a')
    throw new Error('boom')
  }
  return isAsync ? asynchronous(pieces()) : pieces()
}

/** An iterator can be run once only. */
function isOnce(body: unknown): boolean {
  return typeof (body as { next?: unknown } | null | undefined)?.next === 'function'
}
