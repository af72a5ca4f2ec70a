import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AbuseWatch, attackIn, OVERHEAD, RESETS, RESETS_PER_SECOND } from './abuse.ts'

describe('resets', () => {
  it('are an attack when there are too many at once', () => {
    const watch = new AbuseWatch(0)
    for (let i = 0; i < RESETS; i++) expect(watch.reset(0)).toBeNull()
    expect(watch.reset(0)).toMatch(/rapid reset, CVE-2023-44487/)
  })

  it('are none when they come slowly, however many', () => {
    const watch = new AbuseWatch(0)
    for (let i = 0; i < 10 * RESETS; i++)
      expect(watch.reset((i * 1000) / RESETS_PER_SECOND)).toBeNull()
  })

  it('do not save up for more', () => {
    const watch = new AbuseWatch(0)
    for (let i = 0; i < RESETS; i++) expect(watch.reset(1e9)).toBeNull()
    expect(watch.reset(1e9)).not.toBeNull()
  })
})

describe('overhead', () => {
  it('is an attack, which is named by its frames', () => {
    const flood = (note: (watch: AbuseWatch) => void) => {
      const watch = new AbuseWatch(0)
      watch.settings() // of the preface
      for (let i = 0; i < OVERHEAD / 8; i++) note(watch)
      return watch.look(250, { bytesRead: 2 * OVERHEAD, bytesWritten: 0 })
    }
    expect(flood((watch) => watch.ping())).toMatch(/flood of PING frames/)
    expect(flood((watch) => watch.settings())).toMatch(/flood of SETTINGS frames/)
    expect(flood(() => {})).toMatch(/flood of PRIORITY, WINDOW_UPDATE, empty or unknown frames/)
  })

  it('is not what requests, bodies and answers need', () => {
    const traffic = fc.record({
      heads: fc.array(fc.nat(8192), { maxLength: 50 }),
      pieces: fc.array(fc.nat(16384), { maxLength: 50 }),
      answered: fc.nat(10_000_000),
    })
    fc.assert(
      fc.property(fc.array(traffic, { maxLength: 50 }), (ticks) => {
        const watch = new AbuseWatch(0)
        let bytesRead = 24
        let bytesWritten = 0
        ticks.forEach(({ heads, pieces, answered }, tick) => {
          for (const length of heads) {
            bytesRead += 9 + length
            watch.request(length)
          }
          for (const length of pieces) {
            bytesRead += 9 + length
            watch.body(length)
          }
          // Two WINDOW_UPDATE frames for each kilobyte.
          bytesRead += 26 * Math.floor(answered / 1024)
          bytesWritten += answered
          expect(watch.look(250 * (tick + 1), { bytesRead, bytesWritten })).toBeNull()
        })
      }),
    )
  })

  it('is found however it is spread over time, above its rate', () => {
    const watch = new AbuseWatch(0)
    let found: string | null = null
    let bytesRead = 0
    for (let tick = 1; tick < 200 && found === null; tick++) {
      bytesRead += 16_384
      found = watch.look(250 * tick, { bytesRead, bytesWritten: 0 })
    }
    expect(found).not.toBeNull()
    expect(bytesRead).toBeLessThan(4 * OVERHEAD)
  })

  it('may go on for ever below its rate', () => {
    const watch = new AbuseWatch(0)
    for (let tick = 1; tick < 10_000; tick++)
      expect(watch.look(250 * tick, { bytesRead: 8192 * tick, bytesWritten: 0 })).toBeNull()
  })
})

describe('what Node.js has ended', () => {
  it('is named', () => {
    const named = (message: string, code = 'ERR_HTTP2_ERROR') =>
      attackIn(Object.assign(new Error(message), { code }))
    expect(named('Too many CONTINUATION frames following a HEADER frame')).toMatch(/CVE-2024-27316/)
    expect(named('Flooding was detected in this HTTP/2 session, and it must be closed')).toMatch(
      /PING or SETTINGS/,
    )
    expect(named('Too many', 'ERR_HTTP2_TOO_MANY_INVALID_FRAMES')).toMatch(/CVE-2025-8671/)
    expect(named('The user callback function failed')).toMatch(/streams/)
    expect(named('Protocol error')).toBeNull()
  })
})
