import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CONNECTION,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  EXPECT,
  type FieldName,
  FieldNameTable,
  HOST,
  hashName,
  PROXY_CONNECTION,
  SPECIAL_NAMES,
  TRANSFER_ENCODING,
  UPGRADE,
  WELL_KNOWN_NAMES,
} from './field-names.ts'

function find(table: FieldNameTable, text: string): FieldName {
  const bytes = Buffer.from(`..${text}..`)
  return table.find(bytes, 2, bytes.length - 2, hashName(bytes, 2, bytes.length - 2))
}

describe('the table of field names', () => {
  it('knows the well-known names in any case', () => {
    const table = new FieldNameTable()
    for (const [id, lower] of WELL_KNOWN_NAMES.entries()) {
      const name = find(table, lower)
      expect(name).toMatchObject({
        id,
        lower,
        environKey: null,
        hasUnderscore: lower.includes('_'),
      })
      expect(find(table, lower.toUpperCase())).toBe(name)
      expect(String.fromCharCode(...name.bytes)).toBe(lower)
    }
  })

  it('has ids for the names that are acted upon', () => {
    const special = [
      HOST,
      CONTENT_LENGTH,
      TRANSFER_ENCODING,
      CONTENT_TYPE,
      CONNECTION,
      EXPECT,
      UPGRADE,
      PROXY_CONNECTION,
    ]
    expect(special.map((id) => WELL_KNOWN_NAMES[id])).toEqual([
      'host',
      'content-length',
      'transfer-encoding',
      'content-type',
      'connection',
      'expect',
      'upgrade',
      'proxy-connection',
    ])
    expect(WELL_KNOWN_NAMES.slice(special.length, SPECIAL_NAMES)).toEqual([
      'content_length',
      'transfer_encoding',
      'content_type',
    ])
    expect(new Set(WELL_KNOWN_NAMES).size).toBe(WELL_KNOWN_NAMES.length)
  })

  it('gives the same object for another name as long as it is cached', () => {
    const table = new FieldNameTable()
    const name = find(table, 'X-Odd_Name')
    expect(name).toMatchObject({ id: -1, lower: 'x-odd_name', hasUnderscore: true })
    expect(find(table, 'x-ODD_name')).toBe(name)
    expect(table.named('x-odd_name')).toBe(name)
    expect(table.named('Host').id).toBe(HOST)
  })

  it('tells names with the same hash apart', () => {
    const table = new FieldNameTable()
    const bytes = Buffer.from('hostxost')
    const host = hashName(bytes, 0, 4)
    expect(table.find(bytes, 4, 8, host).lower).toBe('xost')
    expect(table.find(bytes, 0, 4, host).id).toBe(HOST)
    const names = Array.from({ length: 20 }, (_, i) => `x-${i}`)
    for (const text of [...names, ...names]) {
      expect(table.find(Buffer.from(text), 0, text.length, 7).lower).toBe(text)
    }
  })

  it('stays the same size whatever names come', () => {
    const table = new FieldNameTable()
    const first = find(table, 'x-first')
    for (let i = 0; i < 20_000; i++) find(table, `x-${i}`)
    expect(table.cached).toBe(256 * 4)
    expect(find(table, 'x-first')).not.toBe(first)
    expect(find(table, 'host').id).toBe(HOST)
  })

  it('does not cache very long names', () => {
    const table = new FieldNameTable()
    const long = 'x'.repeat(65)
    expect(find(table, long).lower).toBe(long)
    expect(find(table, long)).not.toBe(find(table, long))
    expect(find(table, long.slice(1))).toBe(find(table, long.slice(1)))
  })

  it('takes a name of any length, which a client chooses', () => {
    const table = new FieldNameTable()
    for (const length of [65, 130_000, 1024 * 1024]) {
      expect(find(table, 'X'.repeat(length)).lower).toBe('x'.repeat(length))
    }
  })

  it('finds every token by its lower-case spelling', () => {
    const table = new FieldNameTable()
    const token = fc.string({
      unit: fc.constantFrom(
        ..."!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
      ),
      minLength: 1,
      maxLength: 80,
    })
    fc.assert(
      fc.property(token, (text) => {
        expect(find(table, text).lower).toBe(text.toLowerCase())
      }),
    )
  })
})
