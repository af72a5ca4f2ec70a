/**
 * Splits a text into arguments as a POSIX shell does: at white space, with `'…'`, `"…"` and
 * backslashes, but without expansions. Used for MONOCEROS_CMD_ARGS.
 *
 * @returns the words, or undefined if a quote is not closed or a backslash is the last character
 * @example splitShellWords("--env 'A=b c' -w 2") // ['--env', 'A=b c', '-w', '2']
 */
export function splitShellWords(text: string): string[] | undefined {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!
    if (quote === "'") {
      if (character === "'") quote = ''
      else word += character
    } else if (character === '\\') {
      const next = text[++at]
      if (next === undefined) return undefined
      // Between double quotes a backslash escapes these only (POSIX XCU §2.2.3).
      word =
        (word ?? '') +
        (quote === '"' && !'$`"\\\n'.includes(next) ? `\\${next}` : next === '\n' ? '' : next)
    } else if (quote === '"') {
      if (character === '"') quote = ''
      else word += character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + character
  }
  if (quote !== '') return undefined
  if (word !== undefined) words.push(word)
  return words
}
