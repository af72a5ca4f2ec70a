import { expect, it } from 'vitest'
import { IGNORING, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { EMPTY } from '../../bytes/span.ts'
import type { Reply, RequestHandler } from '../../http/exchange.ts'
import { type Field, responseHead } from '../../http/response-head.ts'
import { hsts } from './hsts.ts'

const FIELD: Field = ['Strict-Transport-Security', 'max-age=60']

/** The fields of an answer. */
function fieldsOf(secure: boolean, answer: (reply: Reply) => void): readonly Field[] {
  const next: RequestHandler = (_, reply) => ({
    ...IGNORING,
    begin: () => answer(reply),
  })
  const handler = hsts('max-age=60')(next)
  const withScheme: RequestHandler = (head, reply) => {
    head.secure = secure
    return handler(head, reply)
  }
  const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
  return new ScriptedEngine().request(withScheme, request).head!.fields
}

it('is added to responses over HTTPS, and to those of the server itself', () => {
  expect(fieldsOf(true, (reply) => reply.respond(responseHead(200, []), EMPTY))).toEqual([FIELD])
  expect(fieldsOf(true, (reply) => reply.start(responseHead(200, [])))).toEqual([FIELD])
  expect(fieldsOf(true, (reply) => reply.refuse(429))).toEqual([FIELD])
})

it('is never sent over plain HTTP', () => {
  expect(fieldsOf(false, (reply) => reply.respond(responseHead(200, []), EMPTY))).toEqual([])
})

it('does not replace what the application says', () => {
  const own: Field = ['strict-transport-security', 'max-age=0']
  const head = responseHead(200, [own])
  expect(fieldsOf(true, (reply) => reply.respond(head, EMPTY))).toEqual([own])
})
