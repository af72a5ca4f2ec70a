// The cases speak to the applications in Python: what an argument is, and what was read, as Python
// writes it.

/**
 * Reads a Python literal: a str is a string, bytes are a Uint8Array, a tuple and a list are an
 * array, a dict is an object, None is null.
 *
 * @throws SyntaxError
 */
export function parseLiteral(source: string): unknown {
  let at = 0
  const skip = () => {
    while (source[at] === ' ') at++
  }
  const fail = (): never => {
    throw new SyntaxError(`no Python literal at ${at} of ${source}`)
  }
  const take = (pattern: RegExp): RegExpExecArray | null => {
    const match = new RegExp(pattern, 'y')
    match.lastIndex = at
    const found = match.exec(source)
    if (found !== null) at = match.lastIndex
    return found
  }

  function value(): unknown {
    skip()
    if (take(/\(/) !== null) return items(')')
    if (take(/\[/) !== null) return items(']')
    if (take(/\{/) !== null) {
      const pairs = items('}')
      return Object.fromEntries(pairs as [string, unknown][])
    }
    const text = take(/(b?)'((?:[^'\\]|\\.)*)'/)
    if (text !== null) {
      const characters = unescaped(text[2]!)
      return text[1] === 'b' ? Uint8Array.from(characters, (c) => c.charCodeAt(0)) : characters
    }
    if (take(/None/) !== null) return null
    return Number((take(/-?\d+/) ?? fail())[0])
  }

  function items(end: string): unknown[] {
    const found: unknown[] = []
    for (;;) {
      skip()
      if (source[at] === end) {
        at++
        return found
      }
      const item = value()
      skip()
      found.push(take(/:/) === null ? item : [item, value()])
      skip()
      if (take(/,/) === null && source[at] !== end) fail()
    }
  }

  const whole = value()
  skip()
  return at === source.length ? whole : fail()
}

function unescaped(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))/gi,
    (_, hex: string, unicode: string, one: string) => {
      if (one === undefined) return String.fromCharCode(Number.parseInt(hex ?? unicode, 16))
      return { n: '\n', r: '\r', t: '\t', 0: '\0' }[one] ?? one
    },
  )
}

/** Bytes, strings, booleans, and arrays of them as `repr()` writes them. */
export function repr(value: unknown): string {
  if (value instanceof Uint8Array)
    return `b${quoted(Array.from(value, (byte) => String.fromCharCode(byte)).join(''))}`
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`
  return value === undefined || value === null ? 'None' : String(value)
}

/** What an array would be if it were a tuple. */
export function tuple(values: readonly unknown[]): string {
  return `(${values.map(repr).join(', ')})`
}

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escapes: Readonly<Record<string, string>> = {
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\\': '\\\\',
    [quote]: `\\${quote}`,
  }
  const escaped = text.replace(/\p{Cc}|[^\p{ASCII}]|[\\'"]/gu, (character) => {
    const code = character.charCodeAt(0)
    const printable = code > 0x1f && code < 0x7f
    return (
      escapes[character] ?? (printable ? character : `\\x${code.toString(16).padStart(2, '0')}`)
    )
  })
  return quote + escaped + quote
}
