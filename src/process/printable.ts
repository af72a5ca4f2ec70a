/**
 * Replaces control characters. Texts from an index or a package must not control the terminal or
 * reverse the reading order.
 */
export function printable(text: string): string {
  return text.replace(STEERING, '?')
}

const STEERING =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern is for these
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
