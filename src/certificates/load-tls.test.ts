import { createPrivateKey } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MadeCertificate, makeCertificate } from '../../tests/support/certificates.ts'
import { DEFAULT_TLS } from '../../tests/support/tls-settings.ts'
import { CertificateError } from './certificate-error.ts'
import { loadTls, type TlsSettings } from './load-tls.ts'

const folder = mkdtempSync(join(tmpdir(), 'certificates-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let one: MadeCertificate
let two: MadeCertificate
let locked: MadeCertificate
let signed: MadeCertificate
let authority: MadeCertificate

beforeAll(() => {
  one = makeCertificate(folder, { name: 'one', names: ['DNS:One.test', 'DNS:*.one.test'] })
  two = makeCertificate(folder, { name: 'two', subject: '/O=Two/CN=two.test' })
  locked = makeCertificate(folder, { name: 'locked', passphrase: 'a secret' })
  authority = makeCertificate(folder, { name: 'authority', authority: true })
  signed = makeCertificate(folder, { name: 'signed', issuer: authority, rsaBits: 2048 })
})

function write(name: string, ...parts: readonly string[]): string {
  const path = join(folder, name)
  writeFileSync(path, parts.join(''), { mode: 0o600 })
  return path
}

function load(settings: Partial<TlsSettings>) {
  return loadTls({ ...DEFAULT_TLS, ...settings })
}

describe('certificates and keys that can be used', () => {
  it('are matched by the public key, in any order, also within one file', () => {
    const combined = write('combined.pem', 'text before\n', locked.keyPem, locked.certPem)
    const { pairs, warnings } = load({
      certfile: [one.cert, combined, two.cert],
      keyfile: [two.key, one.key],
      keyPassphraseFile: write('passphrase', 'another\na secret\n'),
    })
    expect(pairs.map(({ file }) => file)).toEqual([one.cert, combined, two.cert])
    expect(pairs.map(({ names }) => names)).toEqual([
      ['one.test', '*.one.test'],
      ['locked'],
      ['two.test'],
    ])
    expect(pairs[1]!.key).toMatch(/^-----BEGIN PRIVATE KEY-----/)
    expect(pairs[1]!.cert).toBe(readFileSync(locked.cert, 'utf8'))
    expect(warnings).toEqual([])
  })

  it('may be encrypted in the older form of OpenSSL, which has lines before the base64', () => {
    const options = {
      type: 'sec1',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'old',
    } as const
    const old = write('old.key', String(createPrivateKey(one.keyPem).export(options)))
    expect(readFileSync(old, 'utf8')).toMatch(/^Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,/m)
    const pair = { certfile: [one.cert], keyfile: [old] }
    expect(() => load(pair)).toThrow(
      /old\.key is encrypted: give .* --key-passphrase-file \[MONO3207\]$/,
    )
    const { pairs } = load({ ...pair, keyPassphraseFile: write('old.txt', 'old\n') })
    expect(pairs[0]!.key).toMatch(/^-----BEGIN PRIVATE KEY-----/)
  })

  it('may have a chain after the certificate', () => {
    const chain = write('chain.pem', signed.certPem, authority.certPem)
    const { pairs, warnings } = load({ certfile: [chain], keyfile: [signed.key] })
    expect(pairs[0]!.cert).toBe(signed.certPem + authority.certPem)
    expect(warnings).toEqual([])
  })

  it('are warned of if the chain does not fit, or others can read the key', () => {
    const chain = write('gap.pem', signed.certPem, two.certPem)
    chmodSync(write('open.key', signed.keyPem), 0o644)
    const { warnings } = load({ certfile: [chain], keyfile: [join(folder, 'open.key')] })
    expect(warnings).toEqual([
      expect.stringContaining('The second certificate in'),
      expect.stringMatching(
        /^Every user of this machine can read .*open\.key: chmod o-r .* \[MONO3213\]$/,
      ),
    ])
  })
})

it('the versions of TLS follow from either setting', () => {
  const versions = (settings: Partial<TlsSettings>) => {
    const pair = { certfile: [one.cert], keyfile: [one.key] }
    const { minVersion, maxVersion } = load({ ...pair, ...settings }).material
    return [minVersion, maxVersion]
  }
  expect(versions({})).toEqual(['TLSv1.2', 'TLSv1.3'])
  expect(versions({ tlsMinimum: '1.3' })).toEqual(['TLSv1.3', 'TLSv1.3'])
  expect(versions({ sslVersion: 'TLSv1_2' })).toEqual(['TLSv1.2', 'TLSv1.2'])
  expect(versions({ sslVersion: 'TLSv1_3' })).toEqual(['TLSv1.3', 'TLSv1.3'])
})

describe('what cannot be used is refused with a line that says what to do', () => {
  const refused: readonly [string, () => Partial<TlsSettings>, RegExp][] = [
    [
      'a key of another certificate',
      () => ({ certfile: [one.cert], keyfile: [two.key] }),
      /^The certificate in .*one\.pem and the key in .*two\.key do not belong together: give.* \[MONO3205\]$/,
    ],
    [
      'a certificate without a key',
      () => ({ certfile: [one.cert] }),
      /^There is no private key for .*one\.pem: give it with --keyfile/,
    ],
    [
      'a key for nothing',
      () => ({ certfile: [one.cert], keyfile: [one.key, two.key] }),
      /^The key in .*two\.key \(keyfile\) belongs to none of the certificates/,
    ],
    [
      'swapped files',
      () => ({ certfile: [one.key], keyfile: [one.cert] }),
      /^There is no private key in .*one\.pem \(keyfile\), but a certificate/,
    ],
    [
      'a chain in the wrong order',
      () => ({
        certfile: [write('reversed.pem', authority.certPem, signed.certPem)],
        keyfile: [signed.key],
      }),
      /^The certificates in .*reversed\.pem are in the wrong order.* \[MONO3206\]$/,
    ],
    [
      'an encrypted key without a passphrase',
      () => ({ certfile: [locked.cert], keyfile: [locked.key] }),
      /^The key in .*locked\.key is encrypted: give .* with --key-passphrase-file \[MONO3207\]$/,
    ],
    [
      'a wrong passphrase',
      () => ({
        certfile: [locked.cert],
        keyfile: [locked.key],
        keyPassphraseFile: write('wrong', 'wrong\n'),
      }),
      /^The key in .*locked\.key cannot be decrypted: no passphrase in .*wrong/,
    ],
    [
      'an empty passphrase file',
      () => ({
        certfile: [one.cert],
        keyfile: [one.key],
        keyPassphraseFile: write('empty', '\n'),
      }),
      /^There is no passphrase in .*empty/,
    ],
    [
      'a file that does not exist',
      () => ({ certfile: [join(folder, 'missing.pem')] }),
      /^Cannot read .*missing\.pem \(certfile\): there is no such file\. Check the path \[MONO3202\]$/,
    ],
    [
      'a folder',
      () => ({ certfile: [folder] }),
      /^Cannot read .* \(certfile\): it is a folder\. Name the file in it \[MONO3202\]$/,
    ],
    [
      'a file without a certificate',
      () => ({ certfile: [write('none.pem', 'nothing\n')] }),
      /^There is no certificate in PEM in .*none\.pem/,
    ],
    [
      'a damaged certificate',
      () => ({
        certfile: [write('damaged.pem', one.certPem.replace(/[\r\n]M/, '\nA'))],
        keyfile: [one.key],
      }),
      /^A certificate in .*damaged\.pem \(certfile\) is damaged/,
    ],
    [
      'a damaged key',
      () => ({
        certfile: [one.cert],
        keyfile: [write('damaged.key', one.keyPem.replace(/[\r\n]M/, '\nA'))],
      }),
      /^The key in .*damaged\.key is damaged/,
    ],
    [
      'client certificates without an authority',
      () => ({ certfile: [one.cert], keyfile: [one.key], certReqs: 2 }),
      /^cert_reqs 2 needs .* give their file with --ca-certs \[MONO3208\]$/,
    ],
    [
      'an authority that is none',
      () => ({ certfile: [one.cert], keyfile: [one.key], caCerts: write('no-ca', '') }),
      /^There is no certificate in PEM in .*no-ca \(ca_certs\)/,
    ],
    [
      'versions that contradict each other',
      () => ({
        certfile: [one.cert],
        keyfile: [one.key],
        sslVersion: 'TLSv1_2',
        tlsMinimum: '1.3',
      }),
      /^ssl_version TLSv1_2 and tls_minimum 1\.3 contradict each other/,
    ],
    [
      'ciphers that nobody knows',
      () => ({ certfile: [one.cert], keyfile: [one.key], ciphers: 'NOTHING' }),
      /^OpenSSL knows none of the ciphers "NOTHING"/,
    ],
    [
      'a key that is too short',
      () => {
        const weak = makeCertificate(folder, { name: 'weak', rsaBits: 512 })
        return { certfile: [weak.cert], keyfile: [weak.key] }
      },
      /^OpenSSL does not accept the certificate in .*weak\.pem \(ee key too small\).* \[MONO3210\]$/,
    ],
  ]
  it.each(refused)('%s', (_, settings, message) => {
    const given = settings()
    expect(() => load(given)).toThrow(CertificateError)
    expect(() => load(given)).toThrow(message)
  })
})
