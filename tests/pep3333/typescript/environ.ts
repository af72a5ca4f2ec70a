import type { StartResponse } from '../../../src/wsgi/types.ts'
import { repr, tuple } from './python-literal.ts'
import { bytes, note, plainText, register, tokenOf } from './registry.ts'

// PEP 3333, "environ Variables": what the application finds in its environ.

/** A 200 with the value as ASCII-only JSON. */
export function jsonAnswer(startResponse: StartResponse, value: unknown): Uint8Array[] {
  const json = JSON.stringify(value).replace(/[^\p{ASCII}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  startResponse('200 OK', [
    ['Content-Type', 'application/json'],
    ['Content-Length', String(json.length)],
  ])
  return [bytes(json)]
}

/** Every entry of the environ that is a string. */
register('environ_strings', (environ, startResponse) =>
  jsonAnswer(
    startResponse,
    Object.fromEntries(Object.entries(environ).filter(([, value]) => typeof value === 'string')),
  ),
)

/** What can be said of the environ as a whole. */
register('environ_facts', (environ, startResponse) => {
  const isPlain = Object.getPrototypeOf(environ) === Object.prototype
  // Whatever `for … in` and a look-up would find, not only what is the object's own.
  const keys: string[] = []
  for (const key in environ) keys.push(key)
  const cgi = keys.filter((key) => /^[A-Z][A-Z0-9_]*$/.test(key))
  const rest = keys.filter((key) => !cgi.includes(key)).sort()
  return jsonAnswer(startResponse, {
    type: isPlain ? 'plain object' : String(Object.getPrototypeOf(environ)?.constructor?.name),
    'not str': cgi.filter((key) => typeof environ[key] !== 'string').sort(),
    'not latin-1': keys
      .filter(
        (key) => typeof environ[key] === 'string' && /[\u0100-\uffff]/.test(environ[key] as string),
      )
      .sort(),
    'odd keys': rest.filter((key) => !/^[a-z0-9_]+(\.[a-z0-9_]+)+$/.test(key)),
  })
})

/** The methods of the streams; `__iter__` is `Symbol.asyncIterator`. */
const wanted: Readonly<Record<string, readonly (string | symbol)[]>> = {
  'wsgi.input': ['read', 'readline', 'readlines', Symbol.asyncIterator],
  'wsgi.errors': ['flush', 'write', 'writelines'],
}

/** The WSGI-defined variables; what is no plain value is described by what it can do. */
register('wsgi_facts', (environ, startResponse) => {
  const facts: Record<string, string> = {}
  for (const [key, value] of Object.entries(environ)) {
    const methods = wanted[key]
    if (methods !== undefined) {
      const stream = value as Record<string | symbol, unknown>
      const missing = methods.filter((name) => typeof stream[name] !== 'function')
      facts[key] =
        missing.length > 0 ? `lacks ${missing.map(String).join(', ')}` : 'has every method'
    } else if (key === 'wsgi.version') {
      facts[key] = tuple(value as unknown[])
    } else if (key.startsWith('wsgi.')) {
      facts[key] = typeof value === 'string' || typeof value === 'boolean' ? repr(value) : 'object'
    }
  }
  facts.multithread = String(environ['wsgi.multithread'])
  facts.multiprocess = String(environ['wsgi.multiprocess'])
  facts.run_once = String(environ['wsgi.run_once'])
  return jsonAnswer(startResponse, facts)
})

/** Uses the right to modify the environ in any way: empties it and puts other things in. */
register('environ_cleared', (environ: Record<string, unknown>, startResponse) => {
  for (const key of Object.keys(environ)) delete environ[key]
  environ.PATH_INFO = null
  environ['the_case.left_over'] = 'from an earlier request'
  startResponse('200 OK', plainText())
  return [bytes('cleared')]
})

/** Changes its environ: replaces, removes and adds. */
register('environ_changed', (environ: Record<string, unknown>, startResponse) => {
  environ.PATH_INFO = null
  delete environ.REQUEST_METHOD
  environ['wsgi.version'] = 'changed'
  environ['the_case.left_over'] = 'from an earlier request'
  startResponse('200 OK', plainText())
  return [bytes('changed')]
})

/**
 * The algorithm of PEP 3333, "URL Reconstruction"; the strings are views of bytes, so bytes are
 * quoted.
 */
register('url_reconstruction', (environ, startResponse) => {
  const scheme = environ['wsgi.url_scheme']
  let url = `${scheme}://`
  if (environ.HTTP_HOST) {
    url += environ.HTTP_HOST
  } else {
    url += environ.SERVER_NAME
    if (environ.SERVER_PORT !== (scheme === 'https' ? '443' : '80'))
      url += `:${environ.SERVER_PORT}`
  }
  url += quote(environ.SCRIPT_NAME) + quote(environ.PATH_INFO)
  if (environ.QUERY_STRING) url += `?${environ.QUERY_STRING}`
  return jsonAnswer(startResponse, url)
})

function quote(view: string): string {
  return view.replace(/[^\w.~/-]/g, (character) => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
  })
}

/** Where a name and value that the deployer gave to the server can be found. */
register('deployer_variable', (environ, startResponse) => {
  const places: [string, Readonly<Record<string, unknown>>][] = [
    ['environ', environ],
    ['process.env', process.env],
  ]
  return jsonAnswer(
    startResponse,
    places.filter(([, held]) => 'PEP3333_DEPLOYER' in held).map(([place]) => place),
  )
})

/** Notes every call. */
register('counted', (environ, startResponse) => {
  note(tokenOf(environ), 'called')
  startResponse('200 OK', plainText())
  return [bytes('counted')]
})
