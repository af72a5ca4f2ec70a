import { expect, it } from 'vitest'
import {
  CLIENT,
  IGNORING,
  parseHead,
  ScriptedEngine,
} from '../../../tests/support/scripted-engine.ts'
import { Span } from '../../bytes/span.ts'
import type { Reply } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { responseField, responseHead } from '../../http/response-head.ts'
import { RequestTimes } from '../../observe/request-times.ts'
import { serverTiming } from './server-timing.ts'

const TRACE = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentId: '',
  applicationId: 'aaaaaaaaaaaaaaaa',
  sampled: true,
  state: '',
}

/** @returns the field of the response that `answer` gives to a request */
function timing(
  prepare: (head: RequestHead) => void,
  answer: (reply: Reply) => void,
  from = CLIENT.remoteAddress,
): string | undefined {
  const handler = serverTiming({ tells: [CLIENT.remoteAddress] })((_, reply) => {
    answer(reply)
    return IGNORING
  })
  const engine = new ScriptedEngine({ ...CLIENT, remoteAddress: from })
  const head = parseHead('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  prepare(head)
  handler(head, engine)
  expect(engine.head).toMatchObject({ status: 200, reason: 'OK' })
  return responseField(engine.head!, 'server-timing')
}

function measured(head: RequestHead): void {
  head.times = new RequestTimes(1)
  Object.assign(head.times, { queued: 2, begun: 2.5, answered: 12.25 })
}

const whole = (reply: Reply) => reply.respond(responseHead(200, []), new Span())

it('says how long a request waited and how long the application took', () => {
  expect(timing(measured, whole)).toBe('queue;dur=0.50, app;dur=9.75')
  expect(timing(measured, (reply) => reply.start(responseHead(200, [])))).toBe(
    'queue;dur=0.50, app;dur=9.75',
  )
})

it('names the trace', () => {
  const traced = (head: RequestHead) => {
    head.trace = TRACE
  }
  const parent = `traceparent;desc="00-${TRACE.traceId}-${TRACE.spanId}-01"`
  expect(timing(traced, whole)).toBe(parent)
  expect(timing(traced, (reply) => reply.refuse(200))).toBe(parent)
})

it('says nothing without the application and without a trace', () => {
  expect(timing(() => {}, whole)).toBeUndefined()
})

it('says nothing to others', () => {
  expect(timing(measured, whole, '198.51.100.9')).toBeUndefined()
  expect(timing(measured, whole, '')).toBe('queue;dur=0.50, app;dur=9.75')
})
