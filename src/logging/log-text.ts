/**
 * Making text harmless for a log: whoever can put text into a log must not be able to forge entries
 * of it or to send control sequences to the terminal that shows it.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: ESC [ … m, the sequences that set colours
const coloursOrControls = /\u001b\[[0-9;:]*m|[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g
/** What the first line of an entry looks like; see {@link harmlessText}. */
const entryStart = /^\[\d{4}-/

/**
 * One line: every control character but the tab becomes an escape (`\n`, `\x1b`, `\u2028`).
 *
 * @param colours let sequences through that only set colours (for terminals)
 */
export function harmlessLine(line: string, colours = false): string {
  return line.replace(colours ? coloursOrControls : controls, (found) =>
    found.length > 1 ? found : escapeCharacter(found),
  )
}

/**
 * Text of several lines, such as a traceback: as {@link harmlessLine}, but line ends stay. A
 * further line that begins as an entry of the error log does is indented, for an exception's
 * message may well quote what a client sent.
 */
export function harmlessText(text: string): string {
  if (!text.includes('\n')) return harmlessLine(text)
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/)
  return lines
    .map((line, index) =>
      index > 0 && entryStart.test(line) ? `  ${harmlessLine(line)}` : harmlessLine(line),
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
