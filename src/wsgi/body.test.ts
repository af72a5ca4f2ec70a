import { describe, expect, test } from 'vitest'
import { callForAnswer } from '../../tests/support/call-application.ts'
import { bodyIterator, mapBody, transformBody, whenBody } from './body.ts'
import { latin1Bytes, latin1Text } from './text.ts'
import type { WSGIApplication, WSGIBody } from './types.ts'

const upper = (piece: Uint8Array) => latin1Bytes(latin1Text(piece).toUpperCase())
const bytes = (...texts: string[]) => texts.map((text) => latin1Bytes(text))

/** A body of each kind, that counts how often it is closed and told to return. */
function bodies(counts: {
  closed: number
  returned: number
}): Record<string, (...texts: string[]) => WSGIBody> {
  const close = () => {
    counts.closed++
  }
  return {
    array: (...texts) => Object.assign(bytes(...texts), { close }),
    generator: (...texts) => {
      function* pieces() {
        try {
          yield* bytes(...texts)
        } finally {
          counts.returned++
        }
      }
      return Object.assign(pieces(), { close })
    },
    'async generator': (...texts) => {
      async function* pieces() {
        try {
          yield* bytes(...texts)
        } finally {
          counts.returned++
        }
      }
      return Object.assign(pieces(), { close })
    },
  }
}

const kinds = ['array', 'generator', 'async generator'] as const

function answering(body: () => WSGIBody, headers: [string, string][] = []): WSGIApplication {
  return (_environ, startResponse) => {
    startResponse('200 OK', headers)
    return body()
  }
}

async function drain(body: WSGIBody): Promise<string> {
  const iterator = bodyIterator(body)
  let text = ''
  for (;;) {
    const step = await iterator.next()
    if (step.done === true) return text
    text += latin1Text(step.value)
  }
}

describe.each(kinds)('a mapped body: %s', (kind) => {
  test('each piece goes through the step, and the last follows', async () => {
    const counts = { closed: 0, returned: 0 }
    const body = mapBody(bodies(counts)[kind]!('a', 'b'), {
      piece: upper,
      end: () => latin1Bytes('!'),
    })
    const answer = await callForAnswer(answering(() => body))
    expect(answer.body).toBe('AB!')
    expect(answer.complete).toBe(true)
    expect(counts.closed).toBe(1)
  })

  test('close() runs exactly once, within the step, however often it is called', () => {
    const counts = { closed: 0, returned: 0 }
    const seen: string[] = []
    const body = mapBody(bodies(counts)[kind]!('a'), {
      close: (inner) => {
        seen.push(`before ${counts.closed}`)
        inner()
        seen.push(`after ${counts.closed}`)
      },
    })
    body.close?.()
    body.close?.()
    expect(seen).toEqual(['before 0', 'after 1'])
    expect(counts.closed).toBe(1)
  })

  test('a piece that is no Uint8Array reaches the server, which refuses it', async () => {
    const broken = Object.assign(
      kind === 'array'
        ? ['text']
        : kind === 'generator'
          ? (function* () {
              yield 'text'
            })()
          : (async function* () {
              yield 'text'
            })(),
      {},
    ) as unknown as WSGIBody
    const answer = await callForAnswer(answering(() => mapBody(broken, { piece: upper })))
    expect(String(answer.error)).toContain('not of the string "text"')
  })

  test('a step that throws fails the response, past the step for errors, and the body is closed', async () => {
    const counts = { closed: 0, returned: 0 }
    const error = new Error('the step')
    const answer = await callForAnswer(
      answering(() =>
        mapBody(bodies(counts)[kind]!('a', 'b'), {
          piece: () => {
            throw error
          },
          failed: () => bytes('never'),
        }),
      ),
    )
    expect(answer.error).toBe(error)
    expect(answer.body).toBe('')
    expect(counts.closed).toBe(1)
  })

  test('a transformed body gives what the function makes of it', async () => {
    const counts = { closed: 0, returned: 0 }
    const answer = await callForAnswer(
      answering(() =>
        transformBody(bodies(counts)[kind]!('a', 'b'), async function* (pieces) {
          for await (const piece of pieces) {
            yield upper(piece)
            yield piece
          }
          yield latin1Bytes('.')
        }),
      ),
    )
    expect(answer.body).toBe('AaBb.')
    expect(answer.complete).toBe(true)
    expect(counts).toEqual({ closed: 1, returned: kind === 'array' ? 0 : 1 })
  })
})

describe('a mapped body', () => {
  test('an array stays an array, unless it is too large to be sent at once', () => {
    expect(Array.isArray(mapBody(bytes('a', 'b'), { piece: upper }))).toBe(true)
    const large = [new Uint8Array(40_000), new Uint8Array(40_000)]
    expect(Array.isArray(mapBody(large, {}))).toBe(false)
    expect(Array.isArray(mapBody([new Uint8Array(80_000)], {}))).toBe(true)
  })

  test.each(['generator', 'async generator'])(
    '%s: what it throws is answered for in its place',
    async (kind) => {
      function* sync() {
        yield* bytes('a')
        throw new Error('late')
      }
      async function* async() {
        yield* bytes('a')
        throw new Error('late')
      }
      const errors: unknown[] = []
      const body = mapBody(kind === 'generator' ? sync() : async(), {
        failed: (error) => {
          errors.push(error)
          return bytes('x', 'y')
        },
        end: () => latin1Bytes('never'),
      })
      expect(await drain(body)).toBe('axy')
      expect(errors).toHaveLength(1)
    },
  )

  test.each(['generator', 'async generator'])(
    '%s: told to return, the body is told too',
    async (kind) => {
      const counts = { closed: 0, returned: 0 }
      const iterator = bodyIterator(mapBody(bodies(counts)[kind]!('a', 'b'), {}))
      await iterator.next()
      await iterator.return?.()
      expect(counts.returned).toBe(1)
      expect(await iterator.next()).toEqual({ done: true, value: undefined })
    },
  )

  test('what is no iterable is refused with the reason', () => {
    expect(() => mapBody(new Uint8Array(1) as unknown as WSGIBody, {})).toThrow(
      'put them in an array',
    )
    expect(() => mapBody('text' as unknown as WSGIBody, {})).toThrow('not the string "text"')
    expect(() => mapBody(undefined as unknown as WSGIBody, {})).toThrow('not undefined')
    expect(() => transformBody(null as unknown as WSGIBody, (pieces) => pieces)).toThrow('not null')
  })

  test('a body is used at once, the promise of one when it comes', async () => {
    expect(whenBody(bytes('a'), (body) => body)).toBeInstanceOf(Array)
    expect(whenBody(Promise.resolve(bytes('a')), () => 1)).toBeInstanceOf(Promise)
    expect(await whenBody(Promise.resolve(bytes('a')), () => 1)).toBe(1)
  })
})

describe('a transformed body', () => {
  test('ends while the transform waits for a piece: the transform is freed, the body closed', async () => {
    let closed = 0
    let finished = false
    const stuck: WSGIBody = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }),
      close: () => {
        closed++
      },
    }
    const body = transformBody(stuck, async function* (pieces) {
      try {
        yield* pieces
      } finally {
        finished = true
      }
    })
    const iterator = bodyIterator(body)
    const waiting = iterator.next()
    await iterator.return?.()
    body.close?.()
    body.close?.()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(finished).toBe(true)
    expect(closed).toBe(1)
  })

  test('an error of the body is thrown into the transform', async () => {
    async function* failing() {
      yield* bytes('a')
      throw new Error('inside')
    }
    const body = transformBody(failing(), async function* (pieces) {
      for await (const piece of pieces) yield piece
    })
    await expect(drain(body)).rejects.toThrow('inside')
  })

  test('pieces are asked for only when the next is wanted', async () => {
    let asked = 0
    function* counting() {
      for (;;) {
        asked++
        yield latin1Bytes('x')
      }
    }
    const iterator = bodyIterator(
      transformBody(counting(), async function* (pieces) {
        yield* pieces
      }),
    )
    await iterator.next()
    await iterator.next()
    expect(asked).toBe(2)
    await iterator.return?.()
  })
})
