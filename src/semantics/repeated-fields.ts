/**
 * The text between the values of several fields of one name when they are joined into one value: a
 * comma (RFC 9110 §5.3), or a semicolon and a space for cookies (RFC 9113 §8.2.3).
 *
 * @param lowerName the field's name in lower case
 */
export function valueSeparator(lowerName: string): string {
  return lowerName === 'cookie' ? '; ' : ','
}
