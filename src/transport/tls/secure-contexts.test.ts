import { Duplex } from 'node:stream'
import { connect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { testCertificate } from '../../../tests/support/test-certificate.ts'
import { SecureContexts } from './secure-contexts.ts'
import type { TlsMaterial } from './tls-material.ts'

const pair = (...names: string[]) => ({ ...testCertificate, names })

function material(options: Partial<TlsMaterial> = {}): TlsMaterial {
  return {
    pairs: [pair('first.test')],
    ca: null,
    clientCertificates: 'none',
    ciphers: null,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ticketKeys: Buffer.alloc(48, 1),
    alpn: ['h2', 'http/1.1'],
    ...options,
  }
}

/** The first message of a client that asks for that host. */
function helloFor(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const below = new Duplex({ read: () => {}, write: (chunk: Buffer) => resolve(chunk) })
    connect({ socket: below, servername }).on('error', () => {})
  })
}

async function contextFor(contexts: SecureContexts, servername: string) {
  return contexts.optionsFor(await helloFor(servername)).secureContext
}

describe('the certificates of a server', () => {
  it('are found by the name that a client asks for: the name itself, a wildcard, the first', async () => {
    const pairs = [pair('first.test'), pair('*.shop.test'), pair('www.shop.test', 'first.test')]
    const contexts = new SecureContexts(material({ pairs }))
    const first = await contextFor(contexts, 'first.test')
    const wildcard = await contextFor(contexts, 'any.shop.test')
    const named = await contextFor(contexts, 'www.shop.test')
    expect(new Set([first, wildcard, named]).size).toBe(3)
    expect(await contextFor(contexts, 'WWW.Shop.Test')).toBe(named)
    for (const other of ['shop.test', 'a.b.shop.test', 'other.test'])
      expect(await contextFor(contexts, other)).toBe(first)
  })

  it('are replaced for new handshakes', async () => {
    const contexts = new SecureContexts(material())
    const before = await contextFor(contexts, 'first.test')
    contexts.use(material())
    expect(await contextFor(contexts, 'first.test')).not.toBe(before)
  })

  it('stay if the new ones cannot be used', async () => {
    const contexts = new SecureContexts(material())
    const before = await contextFor(contexts, 'first.test')
    const broken = { ...pair('first.test'), key: 'no key' }
    const asking = { clientCertificates: 'required' } as const
    expect(() => contexts.use(material({ pairs: [broken], ...asking }))).toThrow()
    expect(() => contexts.use(material({ pairs: [], ...asking }))).toThrow('no certificate')
    expect(await contextFor(contexts, 'first.test')).toBe(before)
    expect(contexts.asksForCertificates).toBe(false)
  })
})

describe('the rules for handshakes', () => {
  it.each([
    ['none', { asks: false, needs: false }],
    ['optional', { asks: true, needs: false }],
    ['required', { asks: true, needs: true }],
  ] as const)("clients' certificates: %s", async (clientCertificates, { asks, needs }) => {
    const contexts = new SecureContexts(material({ clientCertificates }))
    expect(contexts.asksForCertificates).toBe(asks)
    expect(contexts.needsCertificates).toBe(needs)
    const options = contexts.optionsFor(await helloFor('first.test'))
    expect(options).toMatchObject({ requestCert: asks, rejectUnauthorized: needs, isServer: true })
  })

  it('name the protocols, each with its length in front', async () => {
    const options = new SecureContexts(material()).optionsFor(await helloFor('first.test'))
    expect(String(options.ALPNProtocols)).toBe('\x02h2\x08http/1.1')
  })
})
