const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * Text as it stands in HTML, in an element as well as in a quoted attribute. Control characters,
 * which HTML does not allow, become U+FFFD; characters that turn the direction of what follows are
 * shown as their code, for with them a line can be made to read as another.
 */
export function escapeHtml(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => entities[character]!)
    .replace(UNPRINTABLE, '\ufffd')
    .replace(DIRECTION, (character) => `[U+${character.charCodeAt(0).toString(16).toUpperCase()}]`)
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const UNPRINTABLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/g
