import { describe, expect, test } from 'vitest'
import { outputMatches } from './shown-output.ts'

describe('what is printed', () => {
  test.each([
    ['a\n', 'a\n', true],
    ['a\n', 'a', true],
    ['a\n', 'a  \r\n', true],
    ['', '', true],
    ['a\n', 'b\n', false],
    ['a\n', 'a\nb\n', false],
    ['a\nb\n', 'a\n', false],
    ['', 'a\n', false],
    ['a.c\n', 'abc\n', false],
    ['a … c\n', 'a b c\n', true],
    ['a … c\n', 'a b d\n', false],
    ['a\n…\nd\n', 'a\nb\nc\nd\n', true],
    ['a\n…\nd\n', 'a\nd\n', true],
    ['a\n…\nd\n', 'a\nb\n', false],
  ])('%j shown, %j printed: %s', (shown, printed, matches) => {
    expect(outputMatches(shown, printed)).toBe(matches)
  })

  test('lines may be among others, in their order', () => {
    expect(outputMatches('a\nc\n', 'x\na\nb\nc\nd\n', 'within')).toBe(true)
    expect(outputMatches('c\na\n', 'x\na\nb\nc\nd\n', 'within')).toBe(false)
  })
})
