/** Formats of Python's `logging` for lines of the access log. */

/** What these stand for in each line of the access log. */
const CONSTANTS: Readonly<Record<string, string>> = {
  '%(levelname)s': 'INFO',
  '%(levelno)s': '20',
  '%(levelno)d': '20',
  '%(name)s': 'gunicorn.access',
}

/**
 * The access log's format with the formatter's text around it.
 *
 * @returns null if the formatter has more than that, such as a time
 * @example
 * formatOfLine({ format: '%(levelname)s: %(message)s', style: '%' }, '%(h)s') // 'INFO: %(h)s'
 */
export function formatOfLine(
  { format, style }: { format: string; style: string },
  accessFormat: string,
): string | null {
  const written = style === '{' && format === '{message}' ? '%(message)s' : format
  if (written === '%(message)s') return accessFormat
  if (style !== '%' || /^json(?::|$)/.test(accessFormat)) return null
  const [before, after, more] = written.split('%(message)s')
  if (before === undefined || after === undefined || more !== undefined) return null
  const around = [before, after].map(textOf)
  return around.some((text) => text === null) ? null : around.join(accessFormat)
}

/** Literal text of an access log's format; null if it depends on the request. */
function textOf(format: string): string | null {
  let isConstant = true
  const text = format.replace(/%(?:\([^)]*\)[a-z]|%)?/g, (found) => {
    if (found === '%%') return found
    const constant = CONSTANTS[found]
    if (constant === undefined) isConstant = false
    return constant ?? ''
  })
  // Within a line, the access log escapes what would end it.
  return isConstant && !/[\n\r]/.test(text) ? text : null
}
