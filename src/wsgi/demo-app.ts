import type { WSGIFunction } from './types.ts'

/**
 * The demo application of `wsgiref.simple_server.demo_app`, to check that a server works. It
 * answers `Hello world!`, an empty line, and the environ, sorted, one variable on each line.
 *
 * Do not use it in public: it shows everything about a request and its server.
 *
 * Strings are written as in Python, so that the output of both languages can be compared.
 *
 * @example
 * import { demoApp, makeServer } from 'monoceros'
 *
 * const httpd = await makeServer('', 8000, demoApp)
 * await httpd.serveForever()
 */
export const demoApp: WSGIFunction = (environ, startResponse) => {
  const lines = Object.keys(environ)
    .filter((key) => environ[key] !== undefined)
    .sort()
    .map((key) => `${key} = ${shown(environ[key])}`)
  const text = ['Hello world!', '', ...lines, ''].join('\n')
  startResponse('200 OK', [['Content-Type', 'text/plain; charset=utf-8']])
  return [new TextEncoder().encode(text)]
}

function shown(value: unknown): string {
  if (typeof value === 'string') return pythonString(value)
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  if (typeof value === 'function')
    return value.name === '' ? '<function>' : `<function ${value.name}>`
  if (typeof value === 'object' && value !== null)
    return `<${(value as object).constructor?.name ?? 'Object'}>`
  return String(value)
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

/** The same as Python's `repr` for a string of latin-1 characters. */
function pythonString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it escapes
  const escaped = text.replace(/[\x00-\x1f\\\x7f-\xa0\xad]/g, (character) => {
    return ESCAPES[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote
}
