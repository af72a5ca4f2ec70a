import { withoutBlocks } from './page-blocks.ts'

/** Abbreviations whose full stop does not end a sentence. */
const ABBREVIATION = /(?:\b(?:e\.g|i\.e|etc|vs|cf|No|St)|\b[A-Z])\.$/

/** The end of a sentence, with its closing marks, and the beginning of another. */
const BOUNDARY = /[.!?]["”')\]*_]* +(?=["“([*_`]*[A-Z0-9`[])/g

/**
 * Finds lines of prose that do not hold exactly one sentence.
 *
 * It leaves out code, tables, headings, comments and generated lists. A bold lead-in such as
 * `**Scheme.**` may stand in front of a sentence, and so may a remark in parentheses within it.
 *
 * @param markdown the text of a page
 * @returns `LINE: text` for each line that holds two sentences or breaks off within one
 */
export function misplacedSentences(markdown: string): string[] {
  const found: string[] = []
  const lines = withoutBlocks(markdown).split('\n')
  for (const [index, line] of lines.entries()) {
    if (!isProse(line)) continue
    const next = lines[index + 1] ?? ''
    const continues = isProse(next) && !isItem(next)
    if (hasTwoSentences(line) || (continues && !endsSentence(line)))
      found.push(`${index + 1}: ${line}`)
  }
  return found
}

function isProse(line: string): boolean {
  return line.trim() !== '' && !/^(\s*\||#|<!--|!\[| {4}\S.* {2,})/.test(line)
}

function isItem(line: string): boolean {
  return /^\s*([-*]|\d+\.) /.test(line)
}

function endsSentence(line: string): boolean {
  return /[.!?:;…]["”')\]*_`]*$/.test(line)
}

function hasTwoSentences(line: string): boolean {
  // Code, and the addresses of links, keep their length and lose their punctuation.
  const text = line
    .replace(/^\s*([-*]|\d+\.) +/, '')
    .replace(/``.+?``|`[^`]*`/g, (code) => `\`${'x'.repeat(code.length - 2)}\``)
    .replace(/\]\([^)]*\)/g, (target) => `](${'x'.repeat(target.length - 3)})`)
  for (const match of text.matchAll(BOUNDARY)) {
    const before = text.slice(0, match.index + match[0].trimEnd().length)
    if (ABBREVIATION.test(before)) continue
    if (/^\*\*[^*]*\*\*$/.test(before)) continue
    if (count(before, '(') > count(before, ')')) continue
    return true
  }
  return false
}

function count(text: string, character: string): number {
  return text.split(character).length - 1
}
