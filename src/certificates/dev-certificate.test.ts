import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { devCertificate } from './dev-certificate.ts'
import { loadPairs } from './load-pairs.ts'

const NOW = Date.parse('2026-11-29T00:00:00Z')
const DAY_MS = 24 * 3600 * 1000

function folderForTest(): string {
  const folder = mkdtempSync(join(tmpdir(), 'dev-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'made')
}

it('a certificate for this machine is made once, and nobody else may read its key', async () => {
  const options = {
    folder: folderForTest(),
    hosts: ['0.0.0.0', 'Shop.test', '192.0.2.7'],
    now: NOW,
  }
  const made = await devCertificate(options)
  expect(made.isNew).toBe(true)
  expect(statSync(made.file).mode & 0o777).toBe(0o600)
  const certificate = new X509Certificate(readFileSync(made.file))
  expect(certificate.fingerprint256).toBe(made.fingerprint)
  expect(certificate.subjectAltName).toBe(
    'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:shop.test, ' +
      'IP Address:192.0.2.7',
  )
  const { pairs, warnings } = loadPairs({
    certfile: [made.file],
    keyfile: [],
    keyPassphraseFile: null,
  })
  expect([pairs.length, warnings]).toEqual([1, []])
  expect(await devCertificate({ ...options, now: NOW + 300 * DAY_MS })).toEqual({
    ...made,
    isNew: false,
  })
})

it.each([
  ['expires soon', { now: NOW + 360 * DAY_MS }],
  ['is for other hosts', { hosts: ['new.test'] }],
])('a certificate that %s is replaced', async (_, change) => {
  const options = { folder: folderForTest(), hosts: [], now: NOW }
  const before = await devCertificate(options)
  const after = await devCertificate({ ...options, ...change })
  expect(after.isNew).toBe(true)
  expect(after.fingerprint).not.toBe(before.fingerprint)
})

it('a damaged file is replaced', async () => {
  const options = { folder: folderForTest(), hosts: [], now: NOW }
  const { file } = await devCertificate(options)
  writeFileSync(file, 'damaged')
  expect((await devCertificate(options)).isNew).toBe(true)
})

it('a folder that cannot be made is an error that says what to do', async () => {
  const options = { folder: '/dev/null/x', hosts: [], now: NOW }
  await expect(devCertificate(options)).rejects.toThrow('Set XDG_CACHE_HOME to a folder')
})
