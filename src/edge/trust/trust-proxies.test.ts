import { expect, it } from 'vitest'
import { CLIENT, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { RequestEvents } from '../../observe/request-events.ts'
import { ProxyTrust } from './proxy-trust.ts'
import { trustProxies } from './trust-proxies.ts'

const request = (fields = '') => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`

function trusting(encrypted = false) {
  const reasons: string[] = []
  const events = new RequestEvents(() => {})
  events.requestRefused.subscribe(({ reason }) => reasons.push(reason))
  const trust = new ProxyTrust(['*'], { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Ssl': 'on' })
  const heads: RequestHead[] = []
  const ignore = () => {}
  const handler = trustProxies(
    trust,
    events,
  )((head) => {
    heads.push(head)
    return {
      begin: ignore,
      bodyData: ignore,
      bodyEnd: ignore,
      clientEnded: ignore,
      written: ignore,
      closed: ignore,
    }
  })
  const engine = new ScriptedEngine({ ...CLIENT, encrypted })
  return { reasons, heads, engine, handler }
}

it('notes in the head whether the client used HTTPS', () => {
  const { engine, handler, heads } = trusting()
  engine.request(handler, request('X-Forwarded-Proto: https\r\n'))
  engine.request(handler, request('X-Forwarded-Proto: http\r\n'))
  engine.request(handler, request())
  expect(heads.map(({ secure }) => secure)).toEqual([true, false, false])
})

it('takes an encrypted connection for HTTPS if no proxy says otherwise', () => {
  const { engine, handler, heads } = trusting(true)
  engine.request(handler, request())
  expect(heads[0]!.secure).toBe(true)
})

it('refuses a request whose headers contradict each other', () => {
  const { engine, handler, heads, reasons } = trusting()
  engine.request(handler, request('X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n'))
  expect(engine.said).toEqual(['refuse 400 close'])
  expect(heads).toEqual([])
  expect(reasons).toEqual(['the headers of the proxy contradict each other about the scheme'])
})
