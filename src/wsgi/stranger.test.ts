import { describe, expect, test } from 'vitest'
import { isAboutTheClient } from './client-gone.ts'
import { failureLine, failureStatus, failureText } from './failure.ts'
import { isError, messageOf, propertyOf, shown, toError } from './stranger.ts'
import { describeValue } from './wsgi-error.ts'

const thrown = () => {
  throw new Error('do not look')
}
/** Throws whatever is done with it. */
const shy = (target: object) =>
  new Proxy(target, {
    get: thrown,
    has: thrown,
    getPrototypeOf: thrown,
    ownKeys: thrown,
    getOwnPropertyDescriptor: thrown,
  })
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const strangers: [string, unknown][] = [
  ['a proxy that throws', shy({})],
  ['a function that throws', shy(() => {})],
  ['an error that throws', shy(new Error('x'))],
  ['a proxy that is revoked', revoked()],
  ['a getter that throws', Object.defineProperty({}, 'constructor', { get: thrown })],
  ['a symbol', Symbol('x')],
  ['an object without a prototype', Object.create(null)],
  [
    'a function with a symbol for a name',
    Object.defineProperty(() => {}, 'name', { value: Symbol('x') }),
  ],
  [
    'an error without text',
    Object.defineProperties(new Error('x'), { stack: { get: thrown }, message: { get: thrown } }),
  ],
  ['an error whose stack is an object', Object.assign(new Error('x'), { stack: shy({}) })],
  ['an error whose cause throws', new Error('x', { cause: shy(new Error('y')) })],
  ['null', null],
  ['undefined', undefined],
]

describe.each(strangers)('%s', (_, stranger) => {
  test('can be described, and thrown', () => {
    expect(describeValue(stranger)).toMatch(/^[\w '"]+$/)
    expect(typeof failureText(stranger)).toBe('string')
    expect(failureLine(stranger)).not.toContain('\n')
    expect(failureStatus(stranger)).toBe(500)
    expect(isAboutTheClient(stranger)).toBe(false)
    expect(typeof isError(stranger)).toBe('boolean')
    expect(typeof messageOf(stranger)).toBe('string')
    expect(typeof shown(stranger)).toBe('string')
    expect(toError(stranger)).toBeInstanceOf(Error)
    expect(propertyOf(stranger, 'nothing')).toBeUndefined()
  })
})

test('an error whose stack is no text is shown by its name and message', () => {
  expect(failureText(Object.assign(new TypeError('why'), { stack: 5 }))).toBe('TypeError: why')
})
