import { expect, it } from 'vitest'
import { IGNORING, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { EMPTY } from '../../bytes/span.ts'
import type { Reply, RequestHandler } from '../../http/exchange.ts'
import { type Field, type ResponseHead, responseHead } from '../../http/response-head.ts'
import { SECURITY_HEADERS, securityHeaders } from './security-headers.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

/** What reaches the engine of an answer. */
function answered(answer: (reply: Reply) => void, handler = securityHeaders()) {
  const next: RequestHandler = (_, reply) => ({
    ...IGNORING,
    begin: () => answer(reply),
  })
  return new ScriptedEngine().request(handler(next), REQUEST).head!
}

const fieldsOf = (head: ResponseHead): readonly Field[] => head.fields

it('are added to answers of all kinds', () => {
  const own: Field = ['Content-Type', 'text/html']
  const head = () => responseHead(200, [own])
  const expected = [own, ...SECURITY_HEADERS]
  expect(fieldsOf(answered((reply) => reply.respond(head(), EMPTY)))).toEqual(expected)
  expect(fieldsOf(answered((reply) => reply.start(head())))).toEqual(expected)
  expect(fieldsOf(answered((reply) => reply.refuse(404)))).toEqual(SECURITY_HEADERS)
  expect(fieldsOf(answered((reply) => reply.refuse(405, { fields: [['Allow', 'GET']] })))).toEqual([
    ['Allow', 'GET'],
    ...SECURITY_HEADERS,
  ])
})

it('leave the fields of the application as they are, in any case', () => {
  const own: Field[] = [
    ['x-frame-options', 'DENY'],
    ['REFERRER-POLICY', 'no-referrer'],
  ]
  const fields = fieldsOf(answered((reply) => reply.respond(responseHead(200, own), EMPTY)))
  expect(fields).toEqual([
    ...own,
    ...SECURITY_HEADERS.filter(([name]) => !/frame|referrer/i.test(name)),
  ])
})

it('make one head of one head, so that a protocol renders it once', () => {
  const handler = securityHeaders()
  const head = responseHead(200, [['ETag', '"1"']], 3)
  const first = answered((reply) => reply.respond(head, EMPTY), handler)
  const second = answered((reply) => reply.respond(head, EMPTY), handler)
  expect(first).toBe(second)
  expect(first).toMatchObject({ status: 200, reason: 'OK', contentLength: 3 })
})
