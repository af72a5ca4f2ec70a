import { describe, expect, test } from 'vitest'
import { demoApp } from '../../src/wsgi/demo-app.ts'
import { guessScheme } from '../../src/wsgi/guess-scheme.ts'
import { isHopByHop } from '../../src/wsgi/head-rules.ts'
import { Headers } from '../../src/wsgi/headers.ts'
import { applicationUri, requestUri, type UriFacts } from '../../src/wsgi/request-uri.ts'
import { shiftPathInfo } from '../../src/wsgi/shift-path-info.ts'
import { setupTestingDefaults } from '../../src/wsgi/testing-defaults.ts'
import type { WSGIEnvironment } from '../../src/wsgi/types.ts'
import { hasPython, runPython } from '../support/python.ts'

/**
 * Variables of an environ that are strings: what both languages can be given and can be asked for.
 */
type Strings = Record<string, string>
/** A method of `Headers`, by wsgiref's name, and its arguments. */
type Step = [method: string, ...args: unknown[]]

/**
 * What wsgiref makes of all the inputs, in one run of Python. `"raised"` stands for an exception.
 */
const REFERENCE = `
import json, sys
from wsgiref.headers import Headers
from wsgiref.simple_server import demo_app
from wsgiref.util import (application_uri, guess_scheme, is_hop_by_hop, request_uri, setup_testing_defaults,
                          shift_path_info)

def attempt(function, *args):
    try:
        return function(*args)
    except Exception:
        return "raised"

def shifted(environ):
    names = []
    for _ in range(6):
        names.append(attempt(shift_path_info, environ))
        names.append(dict(environ))
    return names

def defaults(environ):
    setup_testing_defaults(environ)
    return {key: value for key, value in environ.items() if isinstance(value, str)}

def stepped(steps):
    headers = Headers([])
    answers = []
    for method, *args in steps:
        if method == "add_header":
            name, value, params = args
            answers.append(headers.add_header(name, value, **params))
        elif method == "in":
            answers.append(args[0] in headers)
        else:
            answers.append(getattr(headers, method)(*args))
    return [answers, len(headers), headers.keys(), headers.values(), headers.items(), str(headers)]

def demo(environ):
    answer = []
    body = b"".join(demo_app(environ, lambda *head: answer.extend(head)))
    return [answer, body.decode("utf-8")]

given = json.loads(sys.argv[1])
print(json.dumps({
    "uris": [[attempt(application_uri, e), attempt(request_uri, e), attempt(request_uri, e, False)]
             for e in given["uris"]],
    "shifts": [shifted(e) for e in given["shifts"]],
    "schemes": [guess_scheme(e) for e in given["schemes"]],
    "defaults": [defaults(e) for e in given["defaults"]],
    "hops": [is_hop_by_hop(name) for name in given["hops"]],
    "headers": [stepped(steps) for steps in given["headers"]],
    "demos": [demo(e) for e in given["demos"]],
}))
`

const EVERY_CHARACTER = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')

const uriBase = { 'wsgi.url_scheme': 'http', SERVER_NAME: 'server.example', SERVER_PORT: '80' }
const uris: Strings[] = [
  { ...uriBase },
  { ...uriBase, SERVER_PORT: '8000' },
  { ...uriBase, SERVER_PORT: '443' },
  { ...uriBase, 'wsgi.url_scheme': 'https', SERVER_PORT: '443' },
  { ...uriBase, 'wsgi.url_scheme': 'https', SERVER_PORT: '80' },
  { ...uriBase, HTTP_HOST: 'shop.example:8080', SERVER_PORT: '443' },
  { ...uriBase, HTTP_HOST: '' },
  { ...uriBase, SCRIPT_NAME: '', PATH_INFO: '/', QUERY_STRING: '' },
  { ...uriBase, SCRIPT_NAME: '', PATH_INFO: '' },
  { ...uriBase, SCRIPT_NAME: '/shop', PATH_INFO: '' },
  { ...uriBase, SCRIPT_NAME: '/shop', PATH_INFO: '/cart/', QUERY_STRING: 'a=1&b=%20x' },
  { ...uriBase, SCRIPT_NAME: '/shöp?', PATH_INFO: '/cart?#%', QUERY_STRING: 'ä?' },
  { ...uriBase, SCRIPT_NAME: `/${EVERY_CHARACTER}`, PATH_INFO: `/${EVERY_CHARACTER}` },
  { ...uriBase, PATH_INFO: 'no-slash' },
  { ...uriBase, PATH_INFO: '//two//' },
  { ...uriBase, PATH_INFO: '/€' },
  { ...uriBase, SCRIPT_NAME: '/€' },
]

const pathInfos = [
  '',
  '/',
  '//',
  '///',
  '/a',
  '/a/',
  '/a/b',
  '/a/b/',
  '//a//b//',
  '/./a',
  '/a/./b',
  '/.',
  '/./',
  '/./.',
].concat([
  '/..',
  '/../a',
  '/a/..',
  '/a/../b',
  '/x/./../y/',
  '/ä b/c',
  'a',
  'a/b',
  'a/',
  '/a/.',
  '/...',
  '/a\n/b',
  '/%2F/b',
])
const scriptNames = [
  '',
  '/',
  '/s',
  '/s/',
  '/s/t',
  '//s',
  '///s',
  's',
  's/..',
  '..',
  '/..',
  '/s/./t',
  '/s//t',
  '.',
]
const shifts: Strings[] = [
  {},
  { SCRIPT_NAME: '/s' },
  { PATH_INFO: '/a/b' },
  ...scriptNames.flatMap((SCRIPT_NAME) =>
    pathInfos.map((PATH_INFO) => ({ SCRIPT_NAME, PATH_INFO })),
  ),
]

const schemes: Strings[] = ['on', 'yes', '1', 'off', '', 'ON', 'true', '0'].map((HTTPS) => ({
  HTTPS,
}))
schemes.push({})

const defaults: Strings[] = [
  {},
  { HTTPS: 'on' },
  { 'wsgi.url_scheme': 'https' },
  { 'wsgi.url_scheme': 'gopher' },
  { SERVER_NAME: 'a.example', REQUEST_METHOD: 'POST' },
  { SCRIPT_NAME: '/s' },
  { PATH_INFO: '/p' },
  { HTTP_HOST: '', SERVER_PORT: '', PATH_INFO: '' },
]

const hops = [
  'Connection',
  'keep-alive',
  'TE',
  'Trailers',
  'Transfer-Encoding',
  'UPGRADE',
  'Proxy-Authenticate',
].concat([
  'Proxy-Authorization',
  'Content-Type',
  'Date',
  'Server',
  'Host',
  '',
  'Set-Cookie',
  'te ',
  'Content-Length',
])

const headers: Step[][] = [
  [],
  [
    ['get', 'Missing'],
    ['get', 'Missing', 'x'],
    ['get_all', 'Missing'],
    ['in', 'Missing'],
    ['__delitem__', 'Missing'],
  ],
  [
    ['__setitem__', 'Content-Type', 'text/plain'],
    ['__setitem__', 'X-One', '1'],
    ['__setitem__', 'content-type', 'text/html'],
    ['get', 'CONTENT-TYPE'],
    ['in', 'x-one'],
    ['setdefault', 'x-one', '2'],
    ['setdefault', 'x-two', '2'],
  ],
  [
    ['add_header', 'Set-Cookie', 'a=1', {}],
    ['add_header', 'X', 'y', {}],
    ['add_header', 'set-cookie', 'b=2', {}],
    ['get_all', 'SET-COOKIE'],
    ['get', 'set-cookie'],
    ['__delitem__', 'Set-COOKIE'],
    ['setdefault', 'Empty', ''],
    ['setdefault', 'empty', 'not'],
    ['in', 'empty'],
  ],
  [
    ['add_header', 'Content-Disposition', 'attachment', { filename: 'bud.gif' }],
    ['add_header', 'content-disposition', 'attachment', { filename: 'a "b" \\c;.gif', size: '' }],
    ['add_header', 'X', null, { max_age: '3', secure: null, 'a-b': 'c' }],
    ['add_header', 'Y', 'v', { secure: null }],
    ['add_header', 'Z', null, {}],
    ['add_header', 'W', '', { a: 'b' }],
    ['__setitem__', 'Latin', 'caf\u00e9\tx'],
  ],
]

const demos: Strings[] = [
  {},
  { b: '2', a: '1', B: '3', _: '', 'wsgi.url_scheme': 'http' },
  { all: EVERY_CHARACTER, single: "it's", double: 'say "x"', both: `'"`, backslash: '\\n' },
]

interface Results {
  uris: unknown[][]
  shifts: unknown[][]
  schemes: string[]
  defaults: Strings[]
  hops: boolean[]
  headers: unknown[][]
  demos: unknown[][]
}

function reference(): Results {
  const given = { uris, shifts, schemes, defaults, hops, headers, demos }
  return JSON.parse(runPython(REFERENCE, JSON.stringify(given))) as Results
}

function attempt(action: () => unknown): unknown {
  try {
    return action()
  } catch {
    return 'raised'
  }
}

function shifted(given: Strings): unknown[] {
  const environ: Strings = { ...given }
  return Array.from({ length: 6 }, () => {
    const name = attempt(() => shiftPathInfo(environ))
    return [name, { ...environ }]
  }).flat()
}

function stepped(steps: Step[]): unknown[] {
  const list = new Headers()
  const answers = steps.map(([method, ...args]) => {
    const [name, value, parameters] = args as [string, string, Record<string, string | null>]
    switch (method) {
      case 'get':
        return (args.length === 1 ? list.get(name) : list.get(name, value)) ?? null
      case 'get_all':
        return list.getAll(name)
      case 'in':
        return list.has(name)
      case '__setitem__':
        return list.set(name, value) ?? null
      case '__delitem__':
        return list.delete(name) ?? null
      case 'setdefault':
        return list.setDefault(name, value)
      case 'add_header':
        return list.addHeader(name, value, parameters) ?? null
      default:
        throw new Error(`no such method: ${method}`)
    }
  })
  return [answers, list.length, list.keys(), list.values(), list.items(), list.toString()]
}

function demo(environ: Strings): unknown[] {
  const answer: unknown[] = []
  const body = demoApp(environ as WSGIEnvironment, (status, list) => {
    answer.push(status, list)
    return () => Promise.resolve()
  })
  return [answer, Buffer.concat([...(body as Iterable<Uint8Array>)]).toString('utf8')]
}

describe.skipIf(!hasPython())('the helpers give what those of wsgiref give', () => {
  const expected = hasPython() ? reference() : ({} as Results)

  test.each(uris.map((environ, i) => [environ, i] as const))(
    'request and application URI of %j',
    (environ, i) => {
      const facts = environ as unknown as UriFacts
      expect([
        attempt(() => applicationUri(facts)),
        attempt(() => requestUri(facts)),
        attempt(() => requestUri(facts, false)),
      ]).toEqual(expected.uris[i])
    },
  )

  test('names shifted off the path, one after the other', () => {
    expect(expected.shifts.flat().filter((each) => each === 'raised').length).toBeGreaterThan(0)
    for (const [i, environ] of shifts.entries()) {
      expect(shifted(environ), JSON.stringify(environ)).toEqual(expected.shifts[i])
    }
  })

  test('the guessed scheme', () => {
    expect(schemes.map((environ) => guessScheme(environ))).toEqual(expected.schemes)
  })

  test.each(defaults.map((environ, i) => [environ, i] as const))(
    'testing defaults for %j',
    (given, i) => {
      const environ: Partial<WSGIEnvironment> = { ...given }
      setupTestingDefaults(environ)
      const strings = Object.entries(environ).filter(([, value]) => typeof value === 'string')
      expect(Object.fromEntries(strings)).toEqual(expected.defaults[i])
    },
  )

  test('hop-by-hop headers', () => {
    expect(hops.map(isHopByHop)).toEqual(expected.hops)
  })

  test.each(headers.map((steps, i) => [steps, i] as const))('headers after %j', (steps, i) => {
    expect(stepped(steps)).toEqual(expected.headers[i])
  })

  test.each(demos.map((environ, i) => [environ, i] as const))('the demo for %j', (environ, i) => {
    expect(demo(environ)).toEqual(expected.demos[i])
  })
})
