import { describe, expect, it } from 'vitest'
import { parseHead } from '../../../tests/support/scripted-engine.ts'
import type { Peer } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { ProxyTrust } from './proxy-trust.ts'
import { TrustError } from './trust-error.ts'

function head(...fields: string[]): RequestHead {
  const lines = fields.map((field) => `${field}\r\n`).join('')
  return parseHead(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`)
}

const from = (remoteAddress: string): Peer => ({
  remoteAddress,
  remotePort: 1,
  localAddress: '',
  localPort: 0,
  encrypted: false,
  tls: null,
  environPart: null,
})

const usual = { 'X-FORWARDED-PROTO': 'https', X_FORWARDED_SSL: 'on', 'x-own-scheme': 'yes' }
const secure = head('X-Forwarded-Proto: https')

describe('the scheme that a proxy tells of', () => {
  it('is believed from the addresses that are trusted, and from no others', () => {
    const trust = new ProxyTrust(['127.0.0.1', '10.0.0.0/8', '::1', '2001:db8::/32'], usual)
    for (const address of ['127.0.0.1', '10.1.2.3', '::1', '2001:db8::5', '::ffff:127.0.0.1', '']) {
      expect(trust.isSecure(secure, from(address)), address).toBe(true)
    }
    for (const address of ['127.0.0.2', '11.0.0.1', '::2', '2001:db9::1', '::ffff:8.8.8.8']) {
      expect(trust.isSecure(secure, from(address)), address).toBe(false)
    }
    expect(new ProxyTrust(['*'], usual).isSecure(secure, from('203.0.113.5'))).toBe(true)
    expect(new ProxyTrust([], usual).isSecure(secure, from('203.0.113.5'))).toBe(false)
  })

  it('is read for a link-local client, whose address names an interface', () => {
    expect(new ProxyTrust(['fe80::/10'], usual).isSecure(secure, from('fe80::1%eth0'))).toBe(true)
    expect(new ProxyTrust(['127.0.0.1'], usual).isSecure(secure, from('fe80::1%eth0'))).toBe(false)
  })

  it('is that of any of the headers, well known or not, in any case', () => {
    const trust = new ProxyTrust(['*'], usual)
    expect(trust.isSecure(head('x-forwarded-ssl: on'), from('1.1.1.1'))).toBe(true)
    expect(trust.isSecure(head('X-Own-Scheme: yes'), from('1.1.1.1'))).toBe(true)
    expect(trust.isSecure(head('X-Forwarded-Proto: http'), from('1.1.1.1'))).toBe(false)
    expect(trust.isSecure(head('X-Other: https'), from('1.1.1.1'))).toBe(false)
    expect(trust.isSecure(head(), from('1.1.1.1'))).toBe(false)
  })

  it('is refused when two of them contradict each other, where they are believed', () => {
    const trust = new ProxyTrust(['127.0.0.1'], usual)
    const conflict = head('X-Forwarded-Proto: https', 'X-Forwarded-Ssl: off')
    expect(() => trust.isSecure(conflict, from('127.0.0.1'))).toThrow(TrustError)
    expect(trust.isSecure(conflict, from('8.8.8.8'))).toBe(false)
    expect(() =>
      trust.isSecure(
        head('X-Forwarded-Proto: https', 'X-Forwarded-Proto: http'),
        from('127.0.0.1'),
      ),
    ).toThrow(TrustError)
    expect(
      trust.isSecure(head('X-Forwarded-Proto: https', 'X-Forwarded-Ssl: on'), from('127.0.0.1')),
    ).toBe(true)
  })
})
