import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HOP_BY_HOP } from '../semantics/hop-by-hop.ts'
import { checkHead } from './head-rules.ts'
import { equivalentHead } from './lenient-head.ts'
import type { WSGIError } from './wsgi-error.ts'

class Judge {
  readonly rules: string[] = []
  readonly errors: WSGIError[] = []
  forgive(rule: string, error: WSGIError): void {
    this.rules.push(rule)
    this.errors.push(error)
  }
}

const strict = {
  forgive(_rule: string, error: WSGIError): void {
    throw error
  },
}

describe('a head that is put right', () => {
  test.each<[string, unknown, unknown, string, [string, string][]]>([
    ['status-without-reason', '204', [], '204 ', []],
    ['status-white-space', '200  a  b ', [], '200 a  b', []],
    ['headers-not-an-array', '200 OK', new Map([['A', '1']]), '200 OK', [['A', '1']]],
    ['headers-not-an-array', '200 OK', new Headers({ a: '1' }), '200 OK', [['a', '1']]],
    ['hop-by-hop upgrade', '200 OK', [['Upgrade', 'h2c']], '200 OK', []],
    [
      'content-length-white-space',
      '200 OK',
      [['Content-Length', ' 5\t']],
      '200 OK',
      [['Content-Length', '5']],
    ],
    [
      'content-length-repeated',
      '200 OK',
      [
        ['Content-Length', '5'],
        ['content-length', '5'],
      ],
      '200 OK',
      [['Content-Length', '5']],
    ],
  ])('%s', (rule, status, headers, line, list) => {
    const judge = new Judge()
    expect(equivalentHead(status, headers, judge)).toEqual({ status: line, headers: list })
    expect(judge.rules).toEqual([rule])
    expect(judge.errors[0]!.message).toMatch(/PEP 3333/)
    expect(() => equivalentHead(status, headers, strict)).toThrow(judge.errors[0]!.message)
  })

  test.each<[unknown, unknown]>([
    ['200 OK\r\nX: y', []],
    ['200\n', []],
    ['101', []],
    ['2000', []],
    [200, []],
    ['200 OK', null],
    ['200 OK', { A: '1' }],
    ['200 OK', 'A1'],
    ['200 OK', Buffer.from('A1')],
    ['200 OK', ['A1']],
    ['200 OK', [['A']]],
    ['200 OK', [['A', 1]]],
    ['200 OK', [['A', '1\r\nB: 2']]],
    ['200 OK', [['Connection', 'close\r\nB: 2']]],
    ['200 OK', [['A B', '1']]],
    ['200 OK', [['A', '\u20ac']]],
    ['200 OK', [['Content-Length', '5, 5']]],
    ['200 OK', [['Content-Length', '\xa05']]],
    [
      '200 OK',
      [
        ['Content-Length', '5'],
        ['Content-Length', '6'],
      ],
    ],
  ])('never what could split or forge: %j %j', (status, headers) => {
    const attempt = () => {
      const { status: line, headers: list } = equivalentHead(status, headers, new Judge())
      checkHead(line, list)
    }
    expect(attempt).toThrow(/PEP 3333/)
  })

  test('nothing that passes has a line of its own, whatever it was made of', () => {
    const text = fc.string({ unit: fc.constantFrom(...'a :\r\n\t\0\x7f\xa05-'), maxLength: 8 })
    const name = fc.oneof(
      fc.constantFrom('A', 'Connection', 'content-length', 'Transfer-Encoding'),
      text,
    )
    const status = fc.oneof(fc.constantFrom('200', '204 ', '200 OK'), text)
    fc.assert(
      fc.property(status, fc.array(fc.tuple(name, text)), (line, headers) => {
        let put: ReturnType<typeof equivalentHead>
        try {
          put = equivalentHead(line, new Set(headers), new Judge())
          checkHead(put.status, put.headers)
        } catch {
          return
        }
        for (const part of [put.status, ...put.headers.flat()])
          expect(part).not.toMatch(/[\r\n\0\x7f]/)
        for (const [each] of put.headers) expect(HOP_BY_HOP.has(each.toLowerCase())).toBe(false)
        const lengths = put.headers.filter(([each]) => each.toLowerCase() === 'content-length')
        expect(lengths.length).toBeLessThan(2)
      }),
    )
  })
})

test('the same headers are hop-by-hop in Python', () => {
  const source = readFileSync(
    join(import.meta.dirname, '../../python/monoceros/response_head.py'),
    'utf8',
  )
  const list = /^_HOP_BY_HOP = frozenset\(\s*\(([^)]*)\)/m.exec(source)![1]!
  const ofTheWorker = [...list.matchAll(/"([^"]+)"/g)].map(([, name]) => name)
  expect(ofTheWorker.sort()).toEqual([...HOP_BY_HOP].sort())
})
