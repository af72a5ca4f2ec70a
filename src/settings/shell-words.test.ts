import fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitShellWords } from './shell-words.ts'

test.each([
  ['', []],
  ['  a  b\tc\n', ['a', 'b', 'c']],
  [`--env 'A=b c' -w 2`, ['--env', 'A=b c', '-w', '2']],
  [`a"b c"d`, ['ab cd']],
  [`''`, ['']],
  [`"" x`, ['', 'x']],
  [`a\\ b`, ['a b']],
  [`"a\\"b\\n"`, ['a"b\\n']],
  [`'a\\b'`, ['a\\b']],
  ['$HOME *', ['$HOME', '*']],
])('%j is split as a shell does', (text, words) => {
  expect(splitShellWords(text)).toEqual(words)
})

test.each([`'a`, `"a`, 'a\\'])('%j is not closed', (text) => {
  expect(splitShellWords(text)).toBeUndefined()
})

test('quoted words come back whatever is in them', () => {
  const quote = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      expect(splitShellWords(words.map(quote).join(' '))).toEqual(words)
    }),
  )
})
