import { expect, test } from 'vitest'
import { callForAnswer, environOf } from '../../tests/support/call-application.ts'
import { callApplication, isApplication, toFunction } from './application.ts'
import type { StartResponse, WSGIApplication, WSGIEnvironment } from './types.ts'
import { WSGIError } from './wsgi-error.ts'

class Greeter {
  readonly #name: string

  constructor(name: string) {
    this.#name = name
  }

  wsgi(_: WSGIEnvironment, startResponse: StartResponse) {
    startResponse('200 OK', [])
    return [new TextEncoder().encode(this.#name)]
  }
}

test('a function is its own function', () => {
  const app: WSGIApplication = () => []
  expect(toFunction(app)).toBe(app)
})

test("an object's method is called on the object", async () => {
  const greeter = new Greeter('me')
  expect((await callForAnswer(greeter)).body).toBe('me')
  expect((await callForAnswer(toFunction(greeter))).body).toBe('me')
  expect((await callForAnswer((...given) => callApplication(greeter, ...given))).body).toBe('me')
})

test('a method that is exchanged later is the one that is called', async () => {
  const app = { wsgi: (): Uint8Array[] => [] }
  const asFunction = toFunction(app)
  const body = [Uint8Array.of(1)]
  app.wsgi = () => body
  expect(asFunction(environOf(), () => () => Promise.resolve())).toBe(body)
})

test.each<[unknown, string]>([
  [undefined, 'undefined'],
  [null, 'null'],
  ['app:app', 'the string "app:app"'],
  [{}, 'an object'],
  [{ wsgi: 'x' }, 'an object'],
  [Promise.resolve(), 'a promise'],
])('%j is no application, and the error says what one is', (value, shown) => {
  expect(isApplication(value)).toBe(false)
  expect(() => toFunction(value as WSGIApplication)).toThrow(WSGIError)
  expect(() => toFunction(value as WSGIApplication)).toThrow(
    'an application must be a function (environ, startResponse), or an object with a ' +
      `method wsgi(environ, startResponse), not ${shown}`,
  )
})

test('functions and objects with the method are applications', () => {
  expect([
    isApplication(() => []),
    isApplication(new Greeter('x')),
    isApplication({ wsgi() {} }),
  ]).toEqual([true, true, true])
})
