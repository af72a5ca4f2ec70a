/**
 * The anchor of a heading, by GitHub's rule, so that a link works there and here:
 * lower case, punctuation removed, each space a hyphen.
 *
 * @param text the heading as text
 */
export function slug(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}
