import { describe, expect, it } from 'vitest'
import { CLIENT, IGNORING, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import type { Reply } from '../../http/exchange.ts'
import type { Field } from '../../http/response-head.ts'
import { RequestEvents, type RequestRefused } from '../../observe/request-events.ts'
import { httpsRedirect } from './https-redirect.ts'

class Engine extends ScriptedEngine {
  fields: readonly Field[] = []

  override refuse(status: number, options?: { close?: boolean; fields?: readonly Field[] }): void {
    this.fields = options?.fields ?? []
    super.refuse(status, options)
  }
}

function redirecting({ to = 443, localPort = 80, secure = false } = {}) {
  const events = new RequestEvents(() => {})
  const refused: RequestRefused[] = []
  events.requestRefused.subscribe((event) => refused.push(event))
  const passed: Reply[] = []
  const edge = httpsRedirect({ from: new Set([80]), to }, events)
  const handler = edge((_head, reply) => {
    passed.push(reply)
    return IGNORING
  })
  return {
    passed,
    refused,
    ask: (text: string) => {
      const engine = new Engine({ ...CLIENT, localPort })
      engine.begin((head, reply) => {
        head.secure = secure
        return handler(head, reply)
      }, text)
      return [...engine.said, ...engine.fields.flat()]
    },
  }
}

const get = (target: string, host = 'shop.test') =>
  `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`
const to = (location: string) => ['refuse 308', 'Location', location]

describe('plain HTTP is redirected', () => {
  it.each([
    ['the same path and query', get('/a/b?c=d&e'), 'https://shop.test/a/b?c=d&e'],
    ['an empty query', get('/a?'), 'https://shop.test/a?'],
    ['a port, which was that of HTTP', get('/', 'shop.test:80'), 'https://shop.test/'],
    ['an IPv6 address', get('/', '[::1]:80'), 'https://[::1]/'],
    ['a target with its own authority', get('http://other.test/x', 'a'), 'https://other.test/x'],
    ['a path that looks like a host', get('//evil.test/'), 'https://shop.test//evil.test/'],
    ['bytes beyond ASCII', get('/caf\xe9'), 'https://shop.test/caf%E9'],
    ['a target without a path', get('http://other.test?x', 'a'), 'https://other.test/?x'],
    ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 'https://a/'],
  ])('with %s', (_, request, location) => {
    expect(redirecting().ask(request)).toEqual(to(location))
  })

  it('to the port of HTTPS', () => {
    expect(redirecting({ to: 8443 }).ask(get('/'))).toEqual(to('https://shop.test:8443/'))
  })

  it('and the connection ends if there is a body, which is not read', () => {
    const { ask } = redirecting()
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'
    expect(ask(post)[0]).toBe('refuse 308 close')
  })

  it('unless it names no host', () => {
    const { ask, refused } = redirecting()
    expect(ask('GET / HTTP/1.0\r\n\r\n')).toEqual(['refuse 400 close'])
    expect(refused).toMatchObject([
      { status: 400, reason: 'the request names no host that it could be redirected to' },
    ])
  })
})

it('requests at other ports, or by HTTPS to a trusted proxy, are passed on', () => {
  const other = redirecting({ localPort: 8000 })
  const proxied = redirecting({ secure: true })
  expect([other.ask(get('/')), proxied.ask(get('/'))]).toEqual([[], []])
  expect([other.passed.length, proxied.passed.length]).toEqual([1, 1])
})
