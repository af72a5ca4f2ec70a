import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { environOf } from '../../tests/support/call-application.ts'
import type { WSGIEnvironment } from '../wsgi/types.ts'
import { ENVIRON_END, EnvironEncoder, endWithLength } from './environ-encoder.ts'

/** Reads marshalled dicts as a worker does, and says what each has in it. */
const READER = `
import json, marshal, sys
def show(value):
    if isinstance(value, (list, tuple)):
        return [show(item) for item in value]
    if isinstance(value, dict):
        return {"dict": [[key, show(item)] for key, item in value.items()]}
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, int) and not isinstance(value, bool):
        return {"int": str(value)}
    return value
for line in sys.stdin:
    print(json.dumps(show(marshal.loads(bytes.fromhex(line)))))
`

function readAll(encoded: readonly Buffer[]): unknown[] {
  const input = encoded.map((bytes) => bytes.toString('hex')).join('\n')
  const output = execFileSync('python3', ['-c', READER], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  return output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** What Python is to see of a value. */
function expected(value: unknown): unknown {
  if (typeof value === 'bigint') return { int: String(value) }
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return { int: String(value === 0 ? 0 : value) }
    return { float: expect.any(String) }
  }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map(expected)
  if (typeof value === 'object' && value !== null)
    return { dict: Object.entries(value).map(([key, item]) => [key, expected(item)]) }
  return value
}

const encoder = new EnvironEncoder()
const whole = (values: Record<string, unknown>) =>
  Buffer.concat([
    encoder.encode({ REQUEST_METHOD: 'GET', ...values } as WSGIEnvironment, '', false),
    ENVIRON_END,
  ])

const latin1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 600,
})
const { data } = fc.letrec((tie) => ({
  data: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.boolean(),
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.bigInt(),
    fc.uint8Array(),
    fc.array(tie('data'), { maxLength: 5 }),
    fc.dictionary(fc.string({ minLength: 1 }), tie('data'), { maxKeys: 5, noNullPrototype: true }),
  ),
}))

describe('an environ for Python', () => {
  it('has the same values there, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.dictionary(
            latin1.map((key) => `x${key}`),
            fc.oneof(
              latin1,
              data.map((item) => [item]),
            ),
          ),
          {
            minLength: 20,
            maxLength: 40,
          },
        ),
        (environs) => {
          const seen = readAll(environs.map(whole))
          environs.forEach((environ, i) => {
            expect(seen[i]).toEqual(expected({ REQUEST_METHOD: 'GET', ...environ }))
          })
        },
      ),
      { numRuns: 6 },
    )
  })

  it('keeps the exact value of a number with a fraction', () => {
    const [seen] = readAll([
      whole({ 'x.a': 0.1, 'x.b': 1e300, 'x.c': Number.POSITIVE_INFINITY }),
    ]) as [{ dict: [string, unknown][] }]
    expect(Object.fromEntries(seen.dict)).toMatchObject({
      'x.a': { float: '0x1.999999999999ap-4' },
      'x.b': { float: '0x1.7e43c8800759cp+996' },
      'x.c': { float: 'inf' },
    })
  })

  it('has what was inherited from another environ, and not what was deleted or is the worker’s own', () => {
    const environ = Object.create(environOf({ target: '/a' })) as WSGIEnvironment
    environ.PATH_INFO = '/b'
    environ.SERVER_PROTOCOL = undefined as never
    const [seen] = readAll([
      Buffer.concat([encoder.encode(environ, 'HTTP_HOST', false), ENVIRON_END]),
    ]) as [{ dict: [string, unknown][] }]
    const values = Object.fromEntries(seen.dict)
    expect(values).toMatchObject({ PATH_INFO: '/b', QUERY_STRING: '', 'wsgi.url_scheme': 'http' })
    for (const absent of [
      'SERVER_PROTOCOL',
      'HTTP_HOST',
      'wsgi.input',
      'wsgi.errors',
      'wsgi.run_once',
    ])
      expect(values).not.toHaveProperty([absent])
  })

  it('takes a length that is known only afterwards', () => {
    const encoded = encoder.encode(environOf(), '', true)
    const [seen] = readAll([Buffer.concat([encoded, endWithLength(123456)])]) as [
      { dict: [string, unknown][] },
    ]
    expect(Object.fromEntries(seen.dict)).toMatchObject({
      CONTENT_LENGTH: '123456',
      'wsgi.multiprocess': true,
    })
  })

  it('is refused where it could not be an environ', () => {
    expect(() => whole({ REQUEST_METHOD: 1 })).toThrow(
      /REQUEST_METHOD must be a string, not the number 1/,
    )
    expect(() => whole({ 'x.Ω': '' })).toThrow(/"x\.Ω" has a character beyond latin-1/)
    expect(() => whole({ 'x.large': 'x'.repeat(7 * 1024 * 1024) })).toThrow(
      /is too large for a worker/,
    )
    // And the encoder is as good as before.
    expect(whole({ a: 'b' }).length).toBeLessThan(100)
  })
})
