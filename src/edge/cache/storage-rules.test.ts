import { describe, expect, it } from 'vitest'
import { type Field, responseHead } from '../../http/response-head.ts'
import { parseDirectives } from './cache-control.ts'
import { storageRules } from './storage-rules.ts'

const NOW = Date.UTC(2026, 0, 1)
const HOUR = 60 * 60 * 1000
const NONE = parseDirectives('')
const head = (fields: Field[]) => responseHead(200, fields)

// Most answers of an application have the same head object as the ones before.
describe('the rules for a head that was seen before', () => {
  it('are not those of a request that forbade to store it', () => {
    const one = head([['Cache-Control', 'max-age=60']])
    expect(storageRules(one, parseDirectives('no-store'), 0, NOW)).toBe('directive')
    expect(storageRules(one, NONE, 0, NOW)).toMatchObject({ lifetime: 60 })
    expect(storageRules(one, parseDirectives('no-store'), 0, NOW)).toBe('directive')
  })

  it('follow the time where freshness depends on it', () => {
    const one = head([['Last-Modified', new Date(NOW).toUTCString()]])
    expect(storageRules(one, NONE, 0.1, NOW)).toBe('freshness')
    expect(storageRules(one, NONE, 0.1, NOW + HOUR)).toMatchObject({ lifetime: 360 })
  })

  it.each<[string, Field[]]>([
    ['directive', [['Cache-Control', 'private, max-age=60']]],
    ['cookie', [['Set-Cookie', 'a=b']]],
    ['freshness', [['Content-Type', 'text/html']]],
  ])('are the same refusal: %s', (refusal, fields) => {
    const one = head(fields)
    expect(storageRules(one, NONE, 0, NOW)).toBe(refusal)
    expect(storageRules(one, NONE, 0, NOW + HOUR)).toBe(refusal)
  })
})
