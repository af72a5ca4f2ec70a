import { describe, expect, it, test } from 'vitest'
import { IGNORING, ScriptedEngine } from '../../../tests/support/scripted-engine.ts'
import { RequestEvents } from '../../observe/request-events.ts'
import { allowedHosts } from './allowed-hosts.ts'
import { HostList } from './host-list.ts'

const LIST = [
  'example.com',
  '.example.org',
  'UPPER.example.',
  '10.0.0.0/8',
  '[2001:db8::1]',
  '127.0.0.1',
]

describe('a list of hosts', () => {
  test.each([
    'example.com',
    'EXAMPLE.com',
    'example.com.',
    'example.com:8000',
    'example.com:',
    'example.org',
    'www.example.org',
    'a.b.Example.ORG.:443',
    'upper.example',
    '10.1.2.3:8000',
    '127.0.0.1',
    '[2001:db8::1]',
    '[2001:DB8:0::1]:8000',
  ])('includes %s', (host) => expect(new HostList(LIST).include(host)).toBe(true))

  test.each([
    '',
    ':8000',
    'www.example.com',
    'badexample.org',
    'example.org.evil.example',
    'example.com..',
    'example.com@evil.example',
    'example.com:80:80',
    '11.0.0.1',
    '127.0.0.2',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '2001:db8::1',
    '[2001:db8::2]',
    '[::ffff:11.0.0.1]',
    '[v1.x]',
    'localhost',
    'ex%61mple.com',
    'example.com/',
    '.example.org',
  ])('does not include %s', (host) => expect(new HostList(LIST).include(host)).toBe(false))

  it('has all with *', () => expect(new HostList(['*']).include('')).toBe(true))
})

function asked(text: string, hosts = LIST): { said: string[]; reasons: string[]; passed: number } {
  const reasons: string[] = []
  const events = new RequestEvents(() => {})
  events.requestRefused.subscribe(({ reason }) => reasons.push(reason))
  let passed = 0
  const handler = allowedHosts(
    hosts,
    events,
  )(() => {
    passed++
    return IGNORING
  })
  const engine = new ScriptedEngine()
  engine.request(handler, text)
  return { said: engine.said, reasons, passed }
}

it('passes on a request for one of them', () => {
  expect(asked('GET / HTTP/1.1\r\nHost: www.example.org:8000\r\n\r\n').passed).toBe(1)
  expect(asked('GET http://example.com/ HTTP/1.1\r\nHost: evil.example\r\n\r\n').passed).toBe(1)
})

it('answers 421 to a request for another one', () => {
  const request = 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n'
  expect(asked(request)).toEqual({
    said: ['refuse 421 close'],
    reasons: ['the host "evil.example" is not in allowed_hosts'],
    passed: 0,
  })
  const absolute = 'GET http://evil.example/ HTTP/1.1\r\nHost: example.com\r\n\r\n'
  expect(asked(absolute).said).toEqual(['refuse 421 close'])
})

it('answers 400 to a request without a host', () => {
  expect(asked('GET / HTTP/1.0\r\n\r\n').said).toEqual(['refuse 400 close'])
})
