import { expect, it } from 'vitest'
import type { AccessRecord } from '../observe/access-record.ts'
import { RequestEvents, type RequestRefused } from '../observe/request-events.ts'
import { logRefusals, logRequests } from './request-logs.ts'

const refused: RequestRefused = {
  remoteAddress: '192.0.2.7',
  requestLine: 'GET /\xff HTTP/1.1',
  status: 400,
  reason: 'The request has two Host fields',
  code: 'bare-lf',
  clientGaveUp: false,
  begun: false,
  startedAt: 1_700_000_000_000,
}

it('the error log has a line for each refusal, which a client cannot forge', () => {
  const lines: string[] = []
  const events = new RequestEvents(() => {})
  logRefusals(events, {
    info: (kind, line) => lines.push(`info | ${kind} | ${line}`),
    warning: (kind, line) => lines.push(`warning | ${kind} | ${line}`),
  })
  events.requestRefused.publish(refused)
  events.requestRefused.publish({
    ...refused,
    remoteAddress: '',
    requestLine: '',
    status: 408,
    reason: 'the client left',
    clientGaveUp: true,
  })
  expect(lines).toEqual([
    'warning | requests refused with 400 | Refused "GET /\\xff HTTP/1.1" from 192.0.2.7 ' +
      'with 400: The request has two Host fields [MONO4021]',
    'info | requests refused with 408 | Refused a request from unix socket with 408: the ' +
      'client left',
  ])
})

it('the code of a refusal follows from its status, and from what proxies have sent', () => {
  const codes: (string | undefined)[] = []
  const events = new RequestEvents(() => {})
  logRefusals(events, {
    info: () => {},
    warning: (_kind, line) => codes.push(/ \[(MONO\d{4})\]$/.exec(line)?.[1]),
  })
  for (const status of [400, 408, 413, 414, 421, 429, 431, 503, 505])
    events.requestRefused.publish({ ...refused, status })
  events.requestRefused.publish({ ...refused, code: 'bad-forwarded' })
  expect(codes).toEqual([
    'MONO4021',
    'MONO4023',
    'MONO4022',
    'MONO4022',
    'MONO4025',
    'MONO4026',
    'MONO4022',
    'MONO4027',
    'MONO4028',
    'MONO4024',
  ])
})

it('the access log leaves out paths that are to be skipped, unless they fail', () => {
  const events = new RequestEvents(() => {})
  const all: AccessRecord[] = []
  const kept: string[] = []
  logRequests(events, (record) => all.push(record))
  logRequests(events, ({ target, status }) => kept.push(`${target} ${status}`), [
    '/healthz',
    '/a.b/*',
  ])
  events.requestRefused.publish(refused)
  for (const target of ['/healthz', '/healthz?a', '/healthz/x', '/a.b/c/d', '/aXb/c', '/?/healthz'])
    events.requestEnded.publish({ ...all[0]!, trace: null, target, status: 200 })
  events.requestEnded.publish({ ...all[0]!, trace: null, target: '/healthz', status: 503 })
  expect(kept).toEqual([
    '/\xff 400',
    '/healthz/x 200',
    '/aXb/c 200',
    '/?/healthz 200',
    '/healthz 503',
  ])
})

it('the access log has requests that ended, and refused ones that never began', () => {
  const records: AccessRecord[] = []
  const events = new RequestEvents(() => {})
  logRequests(events, (record) => records.push(record))
  events.requestRefused.publish(refused)
  events.publishRefusal({ requestLine: () => 'PUT / HTTP/1.1' }, refused, 413, 'too large')
  const ended = { ...records[0]!, trace: null, status: 413 }
  events.requestEnded.publish(ended)
  expect(records).toHaveLength(2)
  expect(records[0]).toMatchObject({
    remoteAddress: '192.0.2.7',
    method: 'GET',
    target: '/\xff',
    protocol: 'HTTP/1.1',
    requestLine: 'GET /\xff HTTP/1.1',
    status: 400,
    bytes: 0,
    startedAt: refused.startedAt,
  })
  expect(records[0]!.header('host')).toBeUndefined()
  expect(records[1]).toBe(ended)
})
