import { expect, test } from 'vitest'
import { callForAnswer } from '../../../tests/support/call-application.ts'
import type { WSGIApplication, WSGIEnvironment } from '../../wsgi/types.ts'
import { type RequestIdOptions, requestId } from './request-id.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

let seen: WSGIEnvironment
const hello: WSGIApplication = (environ, startResponse) => {
  seen = environ
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return []
}

function withId(options: RequestIdOptions | undefined, id?: string, app = hello) {
  return callForAnswer(requestId(options)(app), {
    headers: id === undefined ? [] : [['X-Request-ID', id]],
  })
}

test('a request gets a random id, in the environ twice and in the response', async () => {
  const answer = await withId(undefined)
  const id = answer.header('X-Request-ID')
  expect(id).toMatch(UUID)
  expect(seen['monoceros.request_id']).toBe(id)
  expect(seen.HTTP_X_REQUEST_ID).toBe(id)
  expect(answer.header('Content-Type')).toBe('text/plain')
  expect((await withId(undefined)).header('X-Request-ID')).not.toBe(id)
})

test('an id that came with the request is dropped when it is not trusted', async () => {
  const answer = await withId(undefined, 'mine')
  expect(answer.header('X-Request-ID')).toMatch(UUID)
  expect(seen.HTTP_X_REQUEST_ID).toBe(answer.header('X-Request-ID'))
})

test.each(['mine', 'a'.repeat(128), 'AZaz09-_.~+/=:@'])('a trusted id is kept: %s', async (id) => {
  expect((await withId({ trust: true }, id)).header('X-Request-ID')).toBe(id)
  expect(seen['monoceros.request_id']).toBe(id)
})

test.each([
  '',
  'a'.repeat(129),
  'a b',
  'a,b',
  'a"b',
  '<b>',
  'a;b',
  'caf\xe9',
  'a\n',
  '{jndi}',
  'a%0Ab',
])('a trusted id that could do harm is replaced: %j', async (id) => {
  expect((await withId({ trust: true }, id)).header('X-Request-ID')).toMatch(UUID)
  expect(seen.HTTP_X_REQUEST_ID).toMatch(UUID)
})

test('the header may have another name, and ids another shape', async () => {
  const answer = await withId({
    header: 'X-Correlation-Id',
    generate: (environ) => `id-${environ.PATH_INFO}`,
  })
  expect(answer.headers).toContainEqual(['X-Correlation-Id', 'id-/'])
  expect(seen.HTTP_X_CORRELATION_ID).toBe('id-/')
})

test("the application's own header of that name does not make two, and its list stays as it is", async () => {
  const headers: [string, string][] = [['x-request-id', 'own']]
  const answer = await withId({ generate: () => 'ours' }, undefined, (_environ, startResponse) => {
    startResponse('200 OK', headers)
    return []
  })
  expect(answer.headers).toEqual([['X-Request-ID', 'ours']])
  expect(headers).toEqual([['x-request-id', 'own']])
})

test('a response that is begun again with an error has the id once', async () => {
  const answer = await withId({ generate: () => 'ours' }, undefined, (_environ, startResponse) => {
    startResponse('200 OK', [])
    startResponse('500 Oops', [], new Error('x'))
    return []
  })
  expect(answer).toMatchObject({ status: '500 Oops', headers: [['X-Request-ID', 'ours']] })
})

test('headers that break the contract are still refused as such', async () => {
  const answer = await withId(undefined, undefined, (_environ, startResponse) => {
    startResponse('200 OK', 'text/plain' as never)
    return []
  })
  expect(answer.error).toMatchObject({
    code: 'wsgi-violation',
    message: expect.stringContaining('must be an array'),
  })
})

test.each(['', 'a\r\nSet-Cookie: x', 5 as unknown as string])(
  'a generator that gives %j fails the request, with what it gave',
  async (id) => {
    expect((await withId({ generate: () => id })).error).toMatchObject({
      code: 'bad-option',
      message: expect.stringContaining('requestId: generate must return'),
    })
  },
)

test.each<[string, unknown]>([
  ['header', { header: 'X Request' }],
  ['header', { header: 'X_Request_ID' }],
  ['header', { header: 'Connection' }],
  ['header', { header: '' }],
  ['trust', { trust: 'yes' }],
  ['generate', { generate: 'uuid' }],
])('a wrong %s is refused at set-up: %j', (name, options) => {
  expect(() => requestId(options as RequestIdOptions)).toThrow(
    expect.objectContaining({
      code: 'bad-option',
      message: expect.stringContaining(`requestId: ${name} must`),
    }),
  )
})
