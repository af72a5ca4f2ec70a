/** Texts of the settings table: wrapped in the source, one sentence per line in generated pages. */

/**
 * Lays out Markdown with one sentence per line: joins the lines of each paragraph, then breaks it
 * after each sentence. Tables are left alone.
 *
 * A sentence ends with `.`, `!` or `?` in front of a space and a capital letter, a digit, a quoted
 * word or a parenthesis.
 *
 * @example sentencePerLine('The port. Defaults\nto 8000.') // 'The port.\nDefaults to 8000.'
 */
export function sentencePerLine(markdown: string): string {
  return markdown.split('\n\n').map(layOut).join('\n\n')
}

function layOut(paragraph: string): string {
  if (paragraph.startsWith('|')) return paragraph
  return joinLines(paragraph).replace(/([.!?]\)?) (?=[A-Z0-9`([])/g, '$1\n')
}

/** The text of a paragraph on one line. */
export function joinLines(paragraph: string): string {
  return paragraph.replaceAll('\n', ' ')
}
