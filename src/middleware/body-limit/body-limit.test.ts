import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { callForAnswer, environOf } from '../../../tests/support/call-application.ts'
import { bytesSource, iterableSource, RequestInput, readChunks } from '../../wsgi/input-stream.ts'
import { latin1Bytes, latin1Text } from '../../wsgi/text.ts'
import type { InputStream, StartResponse, WSGIApplication, WSGIBody } from '../../wsgi/types.ts'
import { type BodyLimitOptions, BodyTooLargeError, bodyLimit } from './body-limit.ts'
import { LimitedInput } from './limited-input.ts'

const limited = bodyLimit({ maxBytes: 10 })

/** A body without a declared length, in pieces, and how many of them were asked for. */
function undeclared(...pieces: string[]) {
  const source = { asked: 0 }
  function* generate() {
    for (const piece of pieces) {
      source.asked++
      yield latin1Bytes(piece)
    }
  }
  return {
    source,
    request: { method: 'POST', input: new RequestInput(iterableSource(generate())) },
  }
}

const TOO_LARGE = {
  status: '413 Content Too Large',
  body: 'Content Too Large\n',
  complete: true,
  error: undefined,
}

const echo: WSGIApplication = async (environ, startResponse) => {
  const body = await environ['wsgi.input'].read()
  startResponse('200 OK', [])
  return [body]
}

describe('a declared body', () => {
  const never: WSGIApplication = () => {
    throw new Error('called')
  }

  test('that is too large is refused before the application is called', async () => {
    expect(await callForAnswer(limited(never), { body: 'x'.repeat(11) })).toMatchObject(TOO_LARGE)
    expect(
      await callForAnswer(limited(never), { environ: { CONTENT_LENGTH: '9'.repeat(400) } }),
    ).toMatchObject(TOO_LARGE)
  })

  test('of just the allowed size is read', async () => {
    expect(await callForAnswer(limited(echo), { body: 'x'.repeat(10) })).toMatchObject({
      status: '200 OK',
      body: 'x'.repeat(10),
    })
  })

  test("within the limit costs nothing: the input stream is the server's own", async () => {
    const environ = environOf({ body: 'short' })
    const input = environ['wsgi.input']
    const app = limited((environ) => {
      expect(environ['wsgi.input']).toBe(input)
      return []
    })
    ;(app as (...args: unknown[]) => unknown)(environ, () => {})
    expect.assertions(1)
  })

  test('with a length that is no number is counted', async () => {
    const request = { ...undeclared('x'.repeat(11)).request, environ: { CONTENT_LENGTH: '+5' } }
    expect(await callForAnswer(limited(echo), request)).toMatchObject(TOO_LARGE)
  })

  test('may be of no bytes only', async () => {
    const none = bodyLimit({ maxBytes: 0 })(echo)
    expect((await callForAnswer(none, { body: '' })).status).toBe('200 OK')
    expect((await callForAnswer(none)).status).toBe('200 OK')
    expect((await callForAnswer(none, { body: 'x' })).status).toBe('413 Content Too Large')
  })

  test("is answered by an application of one's own", async () => {
    const tooLarge: WSGIApplication = (environ, startResponse) => {
      startResponse('413 Content Too Large', [['Content-Type', 'application/json']])
      return [latin1Bytes(JSON.stringify({ path: environ.PATH_INFO }))]
    }
    const app = bodyLimit({ maxBytes: 1, tooLarge })(echo)
    expect((await callForAnswer(app, { body: 'xx' })).body).toBe('{"path":"/"}')
    expect((await callForAnswer(app, undeclared('x', 'x').request)).body).toBe('{"path":"/"}')
  })
})

describe('a body of unknown size', () => {
  test('within the limit is read as ever', async () => {
    expect(await callForAnswer(limited(echo), undeclared('01234', '56789').request)).toMatchObject({
      status: '200 OK',
      body: '0123456789',
    })
  })

  test('that is too large is answered 413, and is not read to its end', async () => {
    const { source, request } = undeclared('01234', '56789', 'x', 'y', 'z')
    expect(await callForAnswer(limited(echo), request)).toMatchObject(TOO_LARGE)
    expect(source.asked).toBe(3)
  })

  const ways: Record<string, (input: InputStream) => Promise<unknown>> = {
    'read()': (input) => input.read(),
    'read(size)': async (input) => {
      while ((await input.read(3)).length > 0);
    },
    'a read of a large size': (input) => input.read(1_000_000),
    'read1()': async (input) => {
      while ((await input.read1!()).length > 0);
    },
    'read1(size)': async (input) => {
      while ((await input.read1!(4)).length > 0);
    },
    'readline()': async (input) => {
      while ((await input.readline()).length > 0);
    },
    'readline(size)': async (input) => {
      while ((await input.readline(2)).length > 0);
    },
    'readlines()': (input) => input.readlines(),
    'readlines(hint)': async (input) => {
      while ((await input.readlines(1)).length > 0);
    },
    iteration: async (input) => {
      for await (const _ of input);
    },
    'readChunks()': async (input) => {
      for await (const _ of readChunks(input));
    },
    'two reads at once': (input) => Promise.all([input.read(8), input.read(8)]),
  }
  test.each(Object.entries(ways))('is counted by %s', async (_, read) => {
    const reading: WSGIApplication = async (environ, startResponse) => {
      await read(environ['wsgi.input'])
      startResponse('200 OK', [])
      return [latin1Bytes('read')]
    }
    for (const pieces of [['0123456789x'], ['0\n23', '4\n', '67\n9x'], ['01234', '56789', '\n']]) {
      expect(await callForAnswer(limited(reading), undeclared(...pieces).request)).toMatchObject(
        TOO_LARGE,
      )
    }
    expect(
      (await callForAnswer(limited(reading), undeclared('01\n34', '56789').request)).body,
    ).toBe('read')
  })

  test('fails each read after the limit was passed', async () => {
    const errors: unknown[] = []
    await callForAnswer(
      limited(async (environ, startResponse) => {
        for (let i = 0; i < 2; i++)
          await environ['wsgi.input'].read().catch((error) => errors.push(error))
        startResponse('200 OK', [])
        return []
      }),
      undeclared('x'.repeat(11)).request,
    )
    expect(errors).toHaveLength(2)
    for (const error of errors) {
      expect(error).toBeInstanceOf(BodyTooLargeError)
      expect(error).toMatchObject({ code: 'body-too-large', status: 413 })
    }
  })
})

describe('413 instead of what the application makes of the failed read', () => {
  /**
   * An application that reads, and the body it returns when it has tried; with a count of its
   * close().
   */
  function trying(react: (startResponse: StartResponse) => Iterable<Uint8Array>) {
    const closed = { times: 0 }
    const app: WSGIApplication = async (environ, startResponse) => {
      await environ['wsgi.input'].read().catch(() => {})
      const body = react(startResponse)
      return { [Symbol.iterator]: () => body[Symbol.iterator](), close: () => closed.times++ }
    }
    return { app, closed }
  }

  test('an answer of its own', async () => {
    const { app, closed } = trying((startResponse) => {
      startResponse('500 Oops', [['X-Own', '1']])
      return [latin1Bytes('oops')]
    })
    const answer = await callForAnswer(limited(app), undeclared('x'.repeat(11)).request)
    expect(answer).toMatchObject(TOO_LARGE)
    expect(answer.header('X-Own')).toBeUndefined()
    expect(closed.times).toBe(1)
  })

  test('an array', async () => {
    const app: WSGIApplication = async (environ, startResponse) => {
      await environ['wsgi.input'].read().catch(() => {})
      startResponse('200 OK', [])
      return [latin1Bytes('fine')]
    }
    expect(await callForAnswer(limited(app), undeclared('x'.repeat(11)).request)).toMatchObject(
      TOO_LARGE,
    )
  })

  test('no answer at all', async () => {
    const { app } = trying(() => [])
    expect(await callForAnswer(limited(app), undeclared('x'.repeat(11)).request)).toMatchObject(
      TOO_LARGE,
    )
  })

  test('what it writes', async () => {
    const { app } = trying((startResponse) => {
      void startResponse('500 Oops', [])(latin1Bytes('oops'))
      return []
    })
    expect(await callForAnswer(limited(app), undeclared('x'.repeat(11)).request)).toMatchObject(
      TOO_LARGE,
    )
  })

  test('a body that reads while it is sent, and fails before its first byte', async () => {
    let closed = 0
    const app: WSGIApplication = (environ, startResponse) => {
      async function* body() {
        startResponse('200 OK', [])
        yield new Uint8Array(0)
        for await (const chunk of readChunks(environ['wsgi.input']))
          if (chunk.length > 11) yield chunk
      }
      return Object.assign(body(), { close: () => closed++ })
    }
    expect(
      await callForAnswer(limited(app), undeclared('01234', '56789', 'x').request),
    ).toMatchObject(TOO_LARGE)
    expect(closed).toBe(1)
  })

  test('a body that swallows the error and ends, or goes on', async () => {
    for (const last of [[], [latin1Bytes('more')]]) {
      const app = async function* (environ, startResponse) {
        startResponse('200 OK', [])
        await environ['wsgi.input'].read().catch(() => {})
        yield* last
      } as (
        ...args: Parameters<Extract<WSGIApplication, (...args: never[]) => unknown>>
      ) => WSGIBody
      expect(await callForAnswer(limited(app), undeclared('x'.repeat(11)).request)).toMatchObject(
        TOO_LARGE,
      )
    }
  })

  test('its generator is told to return', async () => {
    let returned = false
    const app = async function* (environ, startResponse) {
      startResponse('200 OK', [])
      try {
        await environ['wsgi.input'].read().catch(() => {})
        yield latin1Bytes('a')
        yield latin1Bytes('b')
      } finally {
        returned = true
      }
    } as WSGIApplication
    expect(await callForAnswer(limited(app), undeclared('x'.repeat(11)).request)).toMatchObject(
      TOO_LARGE,
    )
    expect(returned).toBe(true)
  })
})

test('once bytes have been sent, the read fails and the response is cut off', async () => {
  let closed = 0
  const app: WSGIApplication = (environ, startResponse) => {
    startResponse('200 OK', [])
    const body = readChunks(environ['wsgi.input'])
    return { [Symbol.asyncIterator]: () => body, close: () => closed++ }
  }
  const answer = await callForAnswer(limited(app), undeclared('01234', '56789', 'x').request)
  expect(answer).toMatchObject({ status: '200 OK', pieces: ['01234', '56789'], complete: false })
  expect(answer.error).toBeInstanceOf(BodyTooLargeError)
  expect(closed).toBe(1)
})

test("once bytes have been written, what follows the failed read is the application's", async () => {
  const app: WSGIApplication = async (environ, startResponse) => {
    await startResponse('200 OK', [])(latin1Bytes('begun, '))
    await environ['wsgi.input'].read().catch(() => {})
    return [latin1Bytes('ended')]
  }
  const answer = await callForAnswer(limited(app), undeclared('x'.repeat(11)).request)
  expect(answer).toMatchObject({ status: '200 OK', body: 'begun, ended', complete: true })
})

test('other errors of the application stay what they are', async () => {
  const failing: WSGIApplication = async () => {
    throw new Error('mine')
  }
  expect((await callForAnswer(limited(failing), undeclared('x').request)).error).toMatchObject({
    message: 'mine',
  })
  const sync: WSGIApplication = () => {
    throw new Error('mine')
  }
  expect((await callForAnswer(limited(sync), undeclared('x').request)).error).toMatchObject({
    message: 'mine',
  })
})

test('a body that is none is still refused as such', async () => {
  const app: WSGIApplication = (_environ, startResponse) => {
    startResponse('200 OK', [])
    return 'text' as unknown as WSGIBody
  }
  expect((await callForAnswer(limited(app), undeclared('x').request)).error).toMatchObject({
    code: 'wsgi-violation',
  })
})

test('an application that reads nothing answers whatever the size', async () => {
  const app: WSGIApplication = (_environ, startResponse) => {
    startResponse('403 Forbidden', [])
    return []
  }
  const { source, request } = undeclared('x'.repeat(11))
  expect((await callForAnswer(limited(app), request)).status).toBe('403 Forbidden')
  expect(source.asked).toBe(0)
})

test('an input stream without read1 will do', async () => {
  const whole = new RequestInput(bytesSource(latin1Bytes('hello')))
  const input = new LimitedInput(
    {
      read: (size) => whole.read(size),
      readline: (size) => whole.readline(size),
      readlines: (hint) => whole.readlines(hint),
      [Symbol.asyncIterator]: () => whole[Symbol.asyncIterator](),
    },
    5,
  )
  expect(latin1Text(await input.read1(2))).toBe('he')
  expect(latin1Text(await input.read1())).toBe('llo')
  expect((await input.read1()).length).toBe(0)
})

test('any mix of reads gives what the stream itself would give, up to the limit', async () => {
  const read = fc.record({
    how: fc.constantFrom('read', 'read1', 'readline') as fc.Arbitrary<
      'read' | 'read1' | 'readline'
    >,
    size: fc.integer({ min: -1, max: 6 }),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.stringMatching(/^[ab\n]{1,5}$/), { maxLength: 6 }),
      fc.array(read, { maxLength: 12 }),
      async (pieces, reads) => {
        const stream = () => new RequestInput(iterableSource(pieces.map(latin1Bytes)))
        const total = pieces.join('').length
        const plain = stream()
        const same = new LimitedInput(stream(), total)
        const tight = new LimitedInput(stream(), Math.max(0, total - 1))
        let given = 0
        for (const { how, size } of reads) {
          const expected = latin1Text(await plain[how](size))
          expect(latin1Text(await same[how](size))).toBe(expected)
          const bytes = await tight[how](size).catch((error) => {
            expect(error).toBeInstanceOf(BodyTooLargeError)
            return null
          })
          if (bytes === null) return
          given += bytes.length
          expect(given).toBeLessThan(Math.max(1, total))
        }
      },
    ),
  )
})

test.each<[unknown, string]>([
  [{}, 'maxBytes must be a whole number'],
  [undefined, 'maxBytes must be a whole number'],
  [{ maxBytes: -1 }, 'not the number -1'],
  [{ maxBytes: 1.5 }, 'not the number 1.5'],
  [{ maxBytes: Number.POSITIVE_INFINITY }, 'not the number Infinity'],
  [{ maxBytes: '1mb' }, 'not the string "1mb"'],
  [{ maxBytes: 1, tooLarge: '413' }, 'tooLarge must be an application'],
])('%j is refused at set-up', (options, message) => {
  expect(() => bodyLimit(options as BodyLimitOptions)).toThrow(
    expect.objectContaining({ code: 'bad-option', message: expect.stringContaining(message) }),
  )
})
