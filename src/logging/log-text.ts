/**
 * Makes text harmless for a log: text from others must not forge entries, or send control sequences
 * to the terminal that shows the log.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for them
const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g
const COLOURS_OR_CONTROLS =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ESC [ … m are sequences that set colours
  /\u001b\[[0-9;:]*m|[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g
/** The beginning of an entry; see {@link harmlessText}. */
const ENTRY_START = /^\[\d{4}-/

/**
 * One line: every control character except the tab becomes an escape (`\n`, `\x1b`, `\u2028`).
 *
 * @param colours keep sequences that only set colours, for terminals
 */
export function harmlessLine(line: string, colours = false): string {
  return line.replace(colours ? COLOURS_OR_CONTROLS : CONTROLS, (found) =>
    found.length > 1 ? found : escapeCharacter(found),
  )
}

/**
 * Text of several lines, such as a traceback: as {@link harmlessLine}, but line ends stay. A
 * further line that looks like the beginning of an entry is indented, because an exception's
 * message may quote what a client sent.
 */
export function harmlessText(text: string): string {
  if (!text.includes('\n')) return harmlessLine(text)
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  return lines
    .map((line, index) =>
      index > 0 && ENTRY_START.test(line) ? `  ${harmlessLine(line)}` : harmlessLine(line),
    )
    .join('\n')
}

function escapeCharacter(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  const code = character.charCodeAt(0)
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`
}
