import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { makeCertificate } from '../../tests/support/certificates.ts'
import { CLIENT } from '../../tests/support/scripted-engine.ts'
import type { Peer } from '../http/peer.ts'
import { sslVariablesOf } from './ssl-variables.ts'

const folder = mkdtempSync(join(tmpdir(), 'ssl-variables-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

type Tls = NonNullable<Peer['tls']>

function variables(client: Tls['client'], changes: Partial<Tls> = {}): Record<string, string> {
  const tls = {
    protocol: 'TLSv1.3',
    cipher: 'TLS_AES_256_GCM_SHA384',
    serverName: 'shop.test',
    alpn: null,
    resumed: false,
    client,
    ...changes,
  }
  return Object.fromEntries(sslVariablesOf({ ...CLIENT, tls }))
}

const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

describe('the variables of a client certificate', () => {
  const ca = makeCertificate(folder, { name: 'ca', subject: '/O=Acme/CN=Root', authority: true })
  const made = makeCertificate(folder, {
    name: 'client',
    subject: '/C=DE/O=A, B \\+ "C"/OU=one/OU=two/CN= J\u00f6rg =#1/emailAddress=j@shop.test',
    names: ['email:j@shop.test', 'DNS:a.test', 'DNS:b.test'],
    issuer: ca,
  })
  const certificate = new X509Certificate(made.certPem)

  it('are those of mod_ssl, with names as in RFC 2253', () => {
    const all = variables({ certificate, problem: null })
    expect(all).toEqual({
      SSL_PROTOCOL: 'TLSv1.3',
      SSL_CIPHER: 'TLS_AES_256_GCM_SHA384',
      SSL_SESSION_RESUMED: 'Initial',
      SSL_TLS_SNI: 'shop.test',
      SSL_CLIENT_VERIFY: 'SUCCESS',
      SSL_CLIENT_CERT: made.certPem,
      SSL_CLIENT_M_SERIAL: certificate.serialNumber,
      SSL_CLIENT_V_START: certificate.validFrom,
      SSL_CLIENT_V_END: certificate.validTo,
      SSL_CLIENT_S_DN: utf8(
        'emailAddress=j@shop.test,CN=\\ J\u00f6rg =#1,OU=two,OU=one,O=A\\, B \\+ \\"C\\",C=DE',
      ),
      SSL_CLIENT_S_DN_C: 'DE',
      SSL_CLIENT_S_DN_C_0: 'DE',
      SSL_CLIENT_S_DN_O: 'A, B + "C"',
      SSL_CLIENT_S_DN_O_0: 'A, B + "C"',
      SSL_CLIENT_S_DN_OU: 'one',
      SSL_CLIENT_S_DN_OU_0: 'one',
      SSL_CLIENT_S_DN_OU_1: 'two',
      SSL_CLIENT_S_DN_CN: utf8(' J\u00f6rg =#1'),
      SSL_CLIENT_S_DN_CN_0: utf8(' J\u00f6rg =#1'),
      SSL_CLIENT_S_DN_Email: 'j@shop.test',
      SSL_CLIENT_S_DN_Email_0: 'j@shop.test',
      SSL_CLIENT_I_DN: 'CN=Root,O=Acme',
      SSL_CLIENT_I_DN_O: 'Acme',
      SSL_CLIENT_I_DN_O_0: 'Acme',
      SSL_CLIENT_I_DN_CN: 'Root',
      SSL_CLIENT_I_DN_CN_0: 'Root',
      SSL_CLIENT_SAN_Email_0: 'j@shop.test',
      SSL_CLIENT_SAN_DNS_0: 'a.test',
      SSL_CLIENT_SAN_DNS_1: 'b.test',
    })
  })

  it('say nothing of a certificate that is not trusted, except why', () => {
    expect(variables({ certificate, problem: 'self-signed certificate' })).toEqual({
      SSL_PROTOCOL: 'TLSv1.3',
      SSL_CIPHER: 'TLS_AES_256_GCM_SHA384',
      SSL_SESSION_RESUMED: 'Initial',
      SSL_TLS_SNI: 'shop.test',
      SSL_CLIENT_VERIFY: 'FAILED:self-signed certificate',
    })
  })

  it('say so if there is none, and if the server has not asked', () => {
    expect(variables({ certificate: null, problem: null }).SSL_CLIENT_VERIFY).toBe('NONE')
    expect(variables(null)).toEqual({})
    expect(sslVariablesOf(CLIENT)).toEqual([])
  })

  it('are none of a certificate that is too long to be kept', () => {
    const names = Array.from({ length: 1500 }, (_, i) => `DNS:long-name-${i}.test`)
    const { certPem } = makeCertificate(folder, { name: 'long', names, issuer: ca })
    const all = variables({ certificate: new X509Certificate(certPem), problem: null })
    expect(all.SSL_CLIENT_VERIFY).toBe('FAILED:certificate is longer than 16384 bytes')
    expect(all.SSL_CLIENT_S_DN).toBeUndefined()
  })
})
