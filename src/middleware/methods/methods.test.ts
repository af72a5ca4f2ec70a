import { describe, expect, test } from 'vitest'
import { callForAnswer } from '../../../tests/support/call-application.ts'
import type { WSGIApplication } from '../../wsgi/types.ts'
import { type MethodTable, methods } from './methods.ts'

function named(name: string): WSGIApplication {
  return (environ, startResponse) => {
    startResponse('200 OK', [['X-Method', environ.REQUEST_METHOD]])
    return [new TextEncoder().encode(name)]
  }
}

describe('methods', () => {
  const app = methods({ GET: named('get'), POST: named('post'), DELETE: named('delete') })

  test.each(['GET', 'POST', 'DELETE'])('%s goes to its application', async (method) => {
    expect(await callForAnswer(app, { method })).toMatchObject({
      status: '200 OK',
      body: method.toLowerCase(),
    })
  })

  test('HEAD goes to the application of GET as HEAD, and its body is left out', async () => {
    const answer = await callForAnswer(app, { method: 'HEAD' })
    expect(answer).toMatchObject({ status: '200 OK', body: '', complete: true })
    expect(answer.header('X-Method')).toBe('HEAD')
  })

  test('OPTIONS is answered 204 with the methods there are', async () => {
    const answer = await callForAnswer(app, { method: 'OPTIONS' })
    expect(answer).toMatchObject({ status: '204 No Content', body: '', complete: true })
    expect(answer.header('Allow')).toBe('DELETE, GET, HEAD, OPTIONS, POST')
  })

  test.each(['PUT', 'TRACE', 'BREW', 'get', 'constructor', '__proto__'])(
    '%s is answered 405 with the methods there are',
    async (method) => {
      const answer = await callForAnswer(app, { method })
      expect(answer).toMatchObject({
        status: '405 Method Not Allowed',
        body: 'Method Not Allowed\n',
      })
      expect(answer.header('Allow')).toBe('DELETE, GET, HEAD, OPTIONS, POST')
    },
  )

  test('without GET there is no HEAD', async () => {
    const answer = await callForAnswer(methods({ POST: named('post') }), { method: 'HEAD' })
    expect(answer.status).toBe('405 Method Not Allowed')
    expect(answer.header('Allow')).toBe('OPTIONS, POST')
  })

  test("applications of one's own for HEAD and OPTIONS come first", async () => {
    const own = methods({ GET: named('get'), HEAD: named('head'), OPTIONS: named('options') })
    expect((await callForAnswer(own, { method: 'OPTIONS' })).body).toBe('options')
    const head = await callForAnswer(methods({ HEAD: { wsgi: named('x') as never } }), {
      method: 'HEAD',
    })
    expect(head.status).toBe('200 OK')
  })

  test('a method whose application is undefined is not there', async () => {
    const answer = await callForAnswer(
      methods({ GET: named('get'), PUT: undefined } as unknown as MethodTable),
      {
        method: 'PUT',
      },
    )
    expect(answer.header('Allow')).toBe('GET, HEAD, OPTIONS')
  })

  test.each<[string, unknown, string]>([
    [
      'a method in lower case',
      { get: named('x') },
      'methods: "get" is not a method in upper case: write GET',
    ],
    ['a method that is no token', { 'GET ': named('x') }, '"GET " is not a method'],
    [
      'what is no application',
      { GET: 'x' },
      'methods: GET must be an application, not the string "x"',
    ],
    ['an empty table', {}, 'the table is empty'],
    ['no table', null, 'not null'],
  ])('%s is refused at set-up', (_, table, message) => {
    expect(() => methods(table as MethodTable)).toThrow(message)
    expect(() => methods(table as MethodTable)).toThrow(
      expect.objectContaining({ code: 'bad-option' }),
    )
  })
})
