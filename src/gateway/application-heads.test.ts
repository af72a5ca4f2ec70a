import { describe, expect, test } from 'vitest'
import type { ResponseHeaders } from '../wsgi/types.ts'
import { ApplicationHeads } from './application-heads.ts'

describe('response heads of applications', () => {
  test('have a line for the status and for each header, and the facts that framing needs', () => {
    const head = new ApplicationHeads().check('200 OK', [
      ['Content-Type', 'text/plain'],
      ['content-length', '5'],
      ['DATE', 'x'],
      ['Set-Cookie', 'a'],
      ['Set-Cookie', 'b'],
    ])
    expect(head).toMatchObject({ status: 200, contentLength: 5, hasDate: true, hasServer: false })
    expect(head.reason).toBe('OK')
    expect(head.fields).toEqual([
      ['Content-Type', 'text/plain'],
      ['content-length', '5'],
      ['DATE', 'x'],
      ['Set-Cookie', 'a'],
      ['Set-Cookie', 'b'],
    ])
  })

  test('one that comes again is the same object, whatever came between', () => {
    const heads = new ApplicationHeads()
    const first = heads.check('200 OK', [['A', '1']])
    expect(heads.check('200 OK', [['A', '1']])).toBe(first)
    expect(heads.check('200 OK', [['B', '1']]).fields).toEqual([['B', '1']])
    expect(heads.check('404 No', [['A', '1']]).status).toBe(404)
    expect(heads.check('200 OK', [['A', '1']]).fields).toEqual([['A', '1']])
  })

  test('a value that spells the rest of a known head is refused all the same', () => {
    const heads = new ApplicationHeads()
    heads.check('200 OK', [
      ['A', '1'],
      ['B', '2'],
    ])
    expect(() => heads.check('200 OK', [['A', '1\r\nB: 2']])).toThrow(/control character/)
    expect(() => heads.check('200 OK\r\nA: 1', [['B', '2']])).toThrow(/status/)
  })

  test.each([
    ['no list', null],
    ['a header that is null', [null]],
    ['a header of three', [['A', '1', '2']]],
    ['a number for a value', [['A', 1]]],
    ['a string for a header', ['A1']],
  ])('%s is refused, with and without a known head of that length', (_, headers) => {
    const heads = new ApplicationHeads()
    for (const known of [null, [['A', '1']], [['A', '12']], []] as (ResponseHeaders | null)[]) {
      if (known !== null) heads.check('200 OK', known)
      expect(() => heads.check('200 OK', headers as unknown as ResponseHeaders)).toThrow(/PEP 3333/)
    }
  })

  test('a list that its application changes afterwards changes nothing that was known', () => {
    const heads = new ApplicationHeads()
    const headers: ResponseHeaders = [['A', '1']]
    heads.check('200 OK', headers)
    headers[0]![1] = '2\r\nX: y'
    expect(() => heads.check('200 OK', headers)).toThrow(/control character/)
  })

  test('one that is put right is known by what was given', () => {
    const heads = new ApplicationHeads()
    const rules: string[] = []
    const judge = { forgive: (rule: string) => void rules.push(rule) }
    const given = (): ResponseHeaders => [
      ['Connection', 'close'],
      ['A', '1'],
    ]
    const first = heads.check('204', given(), judge)
    expect(first).toMatchObject({ status: 204, reason: '', fields: [['A', '1']] })
    expect(heads.check('204', given(), judge)).toBe(first)
    expect(rules).toEqual(['status-without-reason', 'hop-by-hop connection'])
    expect(() => new ApplicationHeads().check('204', given())).toThrow(/PEP 3333/)
  })
})
