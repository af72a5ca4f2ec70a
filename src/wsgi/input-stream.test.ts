import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ByteSource,
  bytesSource,
  emptyInput,
  InputError,
  iterableSource,
  RequestInput,
  readChunks,
} from './input-stream.ts'
import { latin1Bytes, latin1Text } from './text.ts'
import type { Bytes, InputStream } from './types.ts'
import { WSGIError } from './wsgi-error.ts'

/** The stream of Python's io module (BytesIO), over text with a character a byte. */
class PythonModel {
  #left: string

  constructor(content: string) {
    this.#left = content
  }

  read(size = -1): string {
    return this.#take(size < 0 ? this.#left.length : size)
  }

  readline(size = -1): string {
    const at = this.#left.indexOf('\n')
    const length = at === -1 ? this.#left.length : at + 1
    return this.#take(size < 0 ? length : Math.min(size, length))
  }

  readlines(hint = -1): string[] {
    const lines: string[] = []
    let total = 0
    for (let line = this.readline(); line !== ''; line = this.readline()) {
      lines.push(line)
      total += line.length
      if (hint > 0 && total >= hint) break
    }
    return lines
  }

  #take(size: number): string {
    const taken = this.#left.slice(0, size)
    this.#left = this.#left.slice(size)
    return taken
  }
}

/**
 * A source that gives these pieces, each in a turn of its own, and refuses to be asked twice at
 * once.
 */
function piecesSource(pieces: readonly Bytes[]): ByteSource & { asked: number } {
  let busy = false
  const left = [...pieces]
  const source = {
    asked: 0,
    next: async () => {
      if (busy) throw new Error('asked while it was being asked')
      busy = true
      source.asked++
      await Promise.resolve()
      busy = false
      return left.shift() ?? null
    },
  }
  return source
}

function inputOf(...pieces: string[]): RequestInput {
  return new RequestInput(piecesSource(pieces.map(latin1Bytes)))
}

function shown(value: Uint8Array | Uint8Array[]): string | string[] {
  return Array.isArray(value) ? value.map(latin1Text) : latin1Text(value)
}

// Few different bytes, so that lines are frequent; long pieces, so that the small ones are not all
// there are.
const piece = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.string({
      unit: fc.constantFrom('a', 'b', '\n', '\r', '\xff'),
      minLength: 1,
      maxLength: 12,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 900, max: 1200 }).map((length) => `${'x'.repeat(length)}\n`),
  },
  { weight: 1, arbitrary: fc.constant('y'.repeat(5000)) },
)
const size = fc.oneof(
  fc.constantFrom(undefined, -1, 0, 1, Number.POSITIVE_INFINITY),
  fc.integer({ min: -3, max: 2500 }),
)
const operation = fc.record({
  method: fc.constantFrom('read', 'readline', 'readlines', 'read1'),
  size,
})
type Operation = { method: 'read' | 'readline' | 'readlines' | 'read1'; size: number | undefined }

describe('whatever the pieces it comes in, a body reads as in Python', () => {
  const pieces = fc.array(piece, { maxLength: 40 })
  const operations = fc.array(operation, { minLength: 1, maxLength: 30 }) as fc.Arbitrary<
    Operation[]
  >

  test('one read after the other', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, operations, async (given, calls) => {
        const input = inputOf(...given)
        const model = new PythonModel(given.join(''))
        for (const { method, size } of calls) {
          const got = shown(await input[method](size))
          if (method !== 'read1') {
            expect(got).toEqual(model[method](size))
            continue
          }
          // How much it gives depends on the pieces, but it is something where there is something,
          // and no more than was asked for.
          expect(got).toBe(model.read(got.length))
          if (size !== undefined && size >= 0) expect(got.length).toBeLessThanOrEqual(size)
          if (got === '' && size !== 0) expect(model.read(1)).toBe('')
        }
        expect(shown(await input.read())).toBe(model.read())
      }),
      { numRuns: 300 },
    )
  })

  test('all at once', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, operations, async (given, all) => {
        const calls = all.filter(({ method }) => method !== 'read1')
        const input = inputOf(...given)
        const model = new PythonModel(given.join(''))
        const got = await Promise.all(calls.map(({ method, size }) => input[method](size)))
        expect(got.map(shown)).toEqual(
          calls.map(({ method, size }) => (method === 'read1' ? '' : model[method](size))),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('line by line, and in chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 12 }),
        fc.integer({ min: 1, max: 2000 }),
        async (given, most) => {
          const lines: Uint8Array[] = []
          for await (const line of inputOf(...given)) lines.push(line)
          expect(shown(lines)).toEqual(new PythonModel(given.join('')).readlines())

          const chunks: Uint8Array[] = []
          for await (const chunk of readChunks(inputOf(...given), most)) chunks.push(chunk)
          expect((shown(chunks) as string[]).join('')).toBe(given.join(''))
          for (const chunk of chunks) {
            expect(chunk.length).toBeGreaterThan(0)
            expect(chunk.length).toBeLessThanOrEqual(most)
          }
        },
      ),
      { numRuns: 100 },
    )
  })

  test('what has been given does not change when more comes', async () => {
    await fc.assert(
      fc.asyncProperty(pieces, operations, async (given, calls) => {
        const input = inputOf(...given)
        const got: [Uint8Array | Uint8Array[], string | string[]][] = []
        for (const { method, size } of calls) {
          const value = await input[method](size)
          got.push([value, shown(value)])
        }
        await input.read()
        for (const [value, before] of got) expect(shown(value)).toEqual(before)
      }),
      { numRuns: 100 },
    )
  })
})

describe('what it asks its source for', () => {
  test('no more than a read needs', async () => {
    const source = piecesSource(['ab', 'c\n', 'd'].map(latin1Bytes))
    const input = new RequestInput(source)
    await input.read(0)
    await input.readline(0)
    await input.read1(0)
    expect(source.asked).toBe(0)
    expect(shown(await input.read(1))).toBe('a')
    expect(shown(await input.read(1))).toBe('b')
    expect(source.asked).toBe(1)
    expect(shown(await input.readline())).toBe('c\n')
    expect(source.asked).toBe(2)
  })

  test('nothing behind the end', async () => {
    const source = piecesSource([latin1Bytes('a')])
    const input = new RequestInput(source)
    await input.read()
    for (let i = 0; i < 3; i++) expect(shown(await input.read())).toBe('')
    expect(shown(await input.readline())).toBe('')
    expect(await input.readlines()).toEqual([])
    expect(source.asked).toBe(2)
  })

  test('read1 gives what has come without waiting for more', async () => {
    let asked = 0
    const input = new RequestInput({
      next: () => (asked++ === 0 ? Promise.resolve(latin1Bytes('first')) : new Promise(() => {})),
    })
    expect(shown(await input.read1())).toBe('first')
  })

  test('small pieces are put together, and do not keep the buffers they came in', async () => {
    // From a client that sends a byte at a time, each may be a view of a socket's whole buffer.
    const pieces = Array.from({ length: 100 }, () =>
      new Uint8Array(64 * 1024).fill(97).subarray(0, 1),
    )
    const input = new RequestInput(piecesSource([...pieces, latin1Bytes('\nb')]))
    expect((await input.readline(60)).buffer.byteLength).toBeLessThanOrEqual(16 * 1024)
    await input.read(1)
    const line = await input.readline()
    expect(shown(line)).toBe(`${'a'.repeat(39)}\n`)
    expect(line.buffer.byteLength).toBeLessThanOrEqual(16 * 1024)
    expect(shown(await input.read())).toBe('b')
  })
})

describe('a body that does not come to its end', () => {
  function broken(): { input: RequestInput; error: InputError } {
    const error = new InputError('The client went away')
    let asked = 0
    const next = async () => {
      if (asked++ === 0) return latin1Bytes('some\nth')
      if (asked === 2) throw error
      return null
    }
    return { input: new RequestInput({ next }), error }
  }

  test.each(['read', 'readline', 'readlines', 'read1'] as const)(
    'makes %s reject, again and again',
    async (method) => {
      const { input, error } = broken()
      await input.read(5)
      if (method === 'read1') await input.read1()
      for (let i = 0; i < 3; i++) await expect(input[method]()).rejects.toBe(error)
    },
  )

  test('gives what has come before', async () => {
    const { input, error } = broken()
    await expect(input.read()).rejects.toBe(error)
    expect(shown(await input.readline())).toBe('some\n')
    expect(shown(await input.read(2))).toBe('th')
    await expect(input.read(1)).rejects.toBe(error)
  })

  test('makes iteration throw', async () => {
    const { input, error } = broken()
    const lines: string[] = []
    await expect(
      (async () => {
        for await (const line of input) lines.push(latin1Text(line))
      })(),
    ).rejects.toBe(error)
    expect(lines).toEqual(['some\n'])
  })

  test('reads behind a failed one have their turn', async () => {
    const { input, error } = broken()
    const results = await Promise.allSettled([
      input.read(),
      input.readline(),
      input.read(1),
      input.read(),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
      'fulfilled',
      'rejected',
    ])
    expect(results[3]).toMatchObject({ reason: error })
  })
})

describe('sizes', () => {
  test.each([Number.NaN, 1.5, '5', null, {}, Number.NEGATIVE_INFINITY])(
    '%j is refused',
    async (wrong) => {
      const input = inputOf('abc')
      for (const method of ['read', 'readline', 'readlines', 'read1'] as const) {
        const refused = input[method](wrong as number)
        await expect(refused).rejects.toThrow(WSGIError)
        await expect(refused).rejects.toThrow(
          new RegExp(`^wsgi.input.${method}\\(\\) takes a whole number of bytes`),
        )
      }
      expect(shown(await input.read())).toBe('abc')
    },
  )

  test('a size from a CONTENT_LENGTH that is absent is told apart', async () => {
    await expect(inputOf('abc').read(Number(undefined))).rejects.toThrow(
      /was CONTENT_LENGTH absent when it was computed\?/,
    )
  })
})

describe('sources', () => {
  test('bytes at hand', async () => {
    const bytes = latin1Bytes('ab\nc')
    expect(await new RequestInput(bytesSource(bytes)).read()).toBe(bytes)
    expect(shown(await new RequestInput(bytesSource(bytes)).readlines())).toEqual(['ab\n', 'c'])
    expect(shown(await new RequestInput(bytesSource(latin1Bytes(''))).read())).toBe('')
  })

  test('iterables of both kinds, whose empty pieces mean nothing', async () => {
    const pieces = ['', 'a', '', 'b', ''].map(latin1Bytes)
    expect(shown(await new RequestInput(iterableSource(pieces)).read())).toBe('ab')
    const asynchronous = (async function* () {
      yield* pieces
    })()
    expect(shown(await new RequestInput(iterableSource(asynchronous)).read())).toBe('ab')
  })

  test('an iterable is not begun before it is read', async () => {
    let begun = false
    const input = new RequestInput(
      iterableSource(
        (function* () {
          begun = true
          yield latin1Bytes('x')
        })(),
      ),
    )
    expect(begun).toBe(false)
    await input.read()
    expect(begun).toBe(true)
  })

  test('an iterable that throws is not at its end', async () => {
    const input = new RequestInput(
      iterableSource(
        (function* () {
          yield latin1Bytes('x')
          throw new InputError('broken')
        })(),
      ),
    )
    await expect(input.read()).rejects.toThrow('broken')
    await expect(input.read()).rejects.toThrow('broken')
  })
})

test('a request without a body reads as one with an empty body', async () => {
  for (const input of [emptyInput, inputOf()] as InputStream[]) {
    expect(shown(await input.read())).toBe('')
    expect(shown(await input.read(10))).toBe('')
    expect(shown(await input.readline())).toBe('')
    expect(await input.readlines()).toEqual([])
    expect(shown(await input.read1!())).toBe('')
    for await (const line of input) expect.unreachable(`a line: ${line}`)
    for await (const chunk of readChunks(input)) expect.unreachable(`a chunk: ${chunk}`)
  }
})

test('readChunks reads an input without read1', async () => {
  const { read, readline, readlines, [Symbol.asyncIterator]: lines } = RequestInput.prototype
  const whole = inputOf('abc', 'de')
  const input: InputStream = {
    read: read.bind(whole),
    readline: readline.bind(whole),
    readlines: readlines.bind(whole),
    [Symbol.asyncIterator]: lines.bind(whole),
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of readChunks(input, 2)) chunks.push(chunk)
  expect(shown(chunks)).toEqual(['ab', 'cd', 'e'])
})
