import { expect, test } from 'vitest'
import { callForAnswer } from '../../../tests/support/call-application.ts'
import { toFunction } from '../../wsgi/application.ts'
import type { Middleware, WSGIApplication } from '../../wsgi/types.ts'
import { compose } from './compose.ts'

const hello: WSGIApplication = (_environ, startResponse) => {
  startResponse('200 OK', [])
  return [new TextEncoder().encode('hello')]
}

function mark(name: string): Middleware {
  return (app) => {
    const inner = toFunction(app)
    return (environ, startResponse) => {
      environ['test.seen'] = `${environ['test.seen'] ?? ''}${name}`
      return inner(environ, (status, headers, excInfo) =>
        startResponse(
          status,
          [...headers, ['X-Seen', `${name} after ${environ['test.seen']}`]],
          excInfo,
        ),
      )
    }
  }
}

test('the first middleware is the outermost: first to see the request, last to see the response', async () => {
  const answer = await callForAnswer(compose(mark('a'), mark('b'), mark('c'))(hello))
  expect(answer.headers.map(([, value]) => value)).toEqual([
    'c after abc',
    'b after abc',
    'a after abc',
  ])
  expect(answer.body).toBe('hello')
})

test('a stack is a middleware, so stacks nest', async () => {
  const answer = await callForAnswer(compose(mark('a'), compose(mark('b'), mark('c')))(hello))
  expect(answer.header('X-Seen')).toBe('c after abc, b after abc, a after abc')
})

test('an empty stack gives the application itself', () => {
  expect(compose()(hello)).toBe(hello)
})

test('an application that is an object is wrapped like a function', async () => {
  const object = { wsgi: hello as Extract<WSGIApplication, (...args: never[]) => unknown> }
  expect((await callForAnswer(compose(mark('a'))(object))).body).toBe('hello')
})

test('an argument that is no middleware is refused at once, by its position', () => {
  expect(() => compose(mark('a'), undefined as unknown as Middleware)).toThrow(
    expect.objectContaining({
      name: 'TypeError',
      code: 'bad-option',
      message: expect.stringContaining('argument 2'),
    }),
  )
})

test('a middleware that gives no application is named when the stack is put together', () => {
  const forgetful = (() => undefined) as unknown as Middleware
  const stack = compose(mark('a'), forgetful)
  expect(() => stack(hello)).toThrow(
    'compose: the result of the middleware forgetful (argument 2) must be an application, ' +
      'not undefined',
  )
})

test('a stack around what is no application is refused', () => {
  expect(() => compose()(42 as unknown as WSGIApplication)).toThrow(
    'must be an application, not the number 42',
  )
})
