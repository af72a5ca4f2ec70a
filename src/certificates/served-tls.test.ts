import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type MadeCertificate, makeCertificate } from '../../tests/support/certificates.ts'
import { DEFAULT_TLS } from '../../tests/support/tls-settings.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'
import type { TlsSettings } from './load-tls.ts'
import { ServedTls } from './served-tls.ts'

const HOUR_MS = 3600 * 1000
const DAY_MS = 24 * HOUR_MS

function serving(changes: Partial<TlsSettings> = {}, days = 90) {
  const folder = mkdtempSync(join(tmpdir(), 'served-tls-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const make = (name: string, to = days) => makeCertificate(folder, { name, to })
  const pair = make('site')
  const other = make('other')
  const log: string[] = []
  const changed: TlsMaterial[] = []
  const clock = { now: Date.now() }
  const settings = { ...DEFAULT_TLS, certfile: [pair.cert], keyfile: [pair.key], ...changes }
  const options = {
    settings,
    log: {
      info: (text: string) => void log.push(`info ${text}`),
      warning: (text: string) => void log.push(`warning ${text}`),
      error: (text: string) => void log.push(`error ${text}`),
    },
    now: () => clock.now,
  }
  const open = (before: ServedTls | null = null, more: Partial<TlsSettings> = {}) => {
    const tls = new ServedTls({ ...options, settings: { ...settings, ...more }, before })
    tls.watch((material) => changed.push(material))
    onTestFinished(() => tls.close())
    return tls
  }
  const tls = open()
  return {
    tls,
    open,
    other,
    log,
    changed,
    clock,
    make,
    /** Looks often enough to see a change, and that it is over. */
    look: async () => {
      for (let i = 0; i < 4; i++) await tls.look()
    },
    replaceKey: ({ key }: MadeCertificate) => renameSync(key, pair.key),
    replaceCertificate: ({ cert }: MadeCertificate) => renameSync(cert, pair.cert),
    touch: () => writeFileSync(pair.cert, pair.certPem),
  }
}

describe('files that change', () => {
  it('are read when both of a pair fit, and acceptors get them', async () => {
    const { look, changed, log, other, replaceKey, replaceCertificate } = serving()
    await look()
    expect([changed, log]).toEqual([[], []])
    replaceKey(other)
    await look()
    expect([changed, log]).toEqual([[], []])
    replaceCertificate(other)
    await look()
    expect(changed.map(({ pairs }) => pairs[0]!.cert)).toEqual([other.certPem])
    expect(log).toEqual([expect.stringMatching(/^info Using the new certificate in .*site\.pem/)])
  })

  it('are refused with one line if they do not fit for ten seconds', async () => {
    const { tls, look, changed, log, other, replaceKey, replaceCertificate, clock } = serving()
    const before = tls.material
    await look()
    replaceKey(other)
    await look()
    clock.now += 9999
    await look()
    expect(log).toEqual([])
    clock.now += 1
    await look()
    clock.now += 60_000
    await look()
    expect(log).toEqual([
      expect.stringMatching(
        /^error Certificate files have changed, .* \[MONO3205\]. The .* stay in use \[MONO3211\]$/,
      ),
    ])
    expect([changed, tls.material]).toEqual([[], before])
    expect(() => tls.read()).toThrow('do not belong together')
    replaceCertificate(other)
    await look()
    expect(changed).toHaveLength(1)
  })

  it('change nothing if they were only touched', async () => {
    const { look, changed, log, touch } = serving()
    await look()
    touch()
    await look()
    expect([changed, log]).toEqual([[], []])
  })

  it('are read at once for a reload, and used when it succeeds', async () => {
    const { tls, changed, other, replaceKey, replaceCertificate } = serving()
    replaceKey(other)
    replaceCertificate(other)
    const use = tls.read()
    expect(changed).toEqual([])
    use()
    expect(changed.map(({ pairs }) => pairs[0]!.cert)).toEqual([other.certPem])
    expect(tls.material).toBe(changed[0])
  })
})

describe('the key of session tickets', () => {
  it('is replaced after twelve hours', async () => {
    const { tls, look, changed, clock } = serving()
    const first = tls.material.ticketKeys
    expect(first).toHaveLength(48)
    clock.now += 12 * HOUR_MS - 1
    await look()
    expect(changed).toEqual([])
    clock.now += 1
    await look()
    expect(changed).toHaveLength(1)
    expect(changed[0]!.ticketKeys).not.toEqual(first)
  })

  it('stays the same in the next version of the settings, unless its rules are others', () => {
    const { tls, open, make } = serving()
    const key = tls.material.ticketKeys
    const next = open(tls)
    expect(next.material.ticketKeys).toEqual(key)
    const caCerts = make('authority').cert
    const stricter = open(next, { certReqs: 2, caCerts })
    expect(stricter.material.ticketKeys).not.toEqual(key)
    expect(open(stricter, { certReqs: 2, caCerts }).material.ticketKeys).toEqual(
      stricter.material.ticketKeys,
    )
  })
})

it('the end of a certificate is announced, once for each of 30, 7 and 1 days, and when it is there', async () => {
  const { look, log, clock } = serving({}, 400)
  const said = async (days: number) => {
    log.length = 0
    clock.now += days * DAY_MS
    await look()
    return log.map((text) => /expire\w* (in \d+ \w+|on)/.exec(text)?.[1])
  }
  expect(log).toEqual([])
  expect(await said(369)).toEqual([])
  expect(await said(2)).toEqual(['in 29 days'])
  expect(await said(20)).toEqual([])
  expect(await said(2.2)).toEqual(['in 7 days'])
  expect(await said(6)).toEqual(['in 19 hours'])
  expect(await said(1)).toEqual(['on'])
  expect(await said(100)).toEqual([])
})

it('a certificate with a short life is announced later, when it should have been renewed', async () => {
  const { look, log, clock } = serving({}, 90)
  const said = async (days: number) => {
    log.length = 0
    clock.now += days * DAY_MS
    await look()
    return log.map((text) => /expires (in \d+ \w+), .* \[MONO3212\]$/.exec(text)?.[1])
  }
  // The 30th day before its end is when certbot begins to renew it.
  expect(await said(67)).toEqual([])
  expect(await said(1)).toEqual(['in 22 days'])
  expect(await said(15)).toEqual(['in 7 days'])
  // Let's Encrypt has certificates for six days: half of that is early enough.
  expect(serving({}, 5).log).toEqual([])
})
