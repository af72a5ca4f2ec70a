import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ProxyFixOptions, proxyFix } from '../../src/middleware/proxy-fix/proxy-fix.ts'
import { toFunction } from '../../src/wsgi/application.ts'
import { environOf } from '../support/call-application.ts'
import { hasPython, testPython } from '../support/python.ts'

/** proxyFix against Werkzeug's ProxyFix, request by request. */

const KEYS = [
  'REMOTE_ADDR',
  'wsgi.url_scheme',
  'HTTP_HOST',
  'SERVER_NAME',
  'SERVER_PORT',
  'SCRIPT_NAME',
] as const

interface Case {
  counts: Required<Omit<ProxyFixOptions, 'forwarded'>>
  environ: Record<string, string>
}
type Outcome = Partial<Record<(typeof KEYS)[number], string>>

const WERKZEUG = `
import json, sys
from werkzeug.middleware.proxy_fix import ProxyFix

results = []
for case in json.load(sys.stdin):
    counts = {"x_" + name: count for name, count in case["counts"].items()}
    seen = {}
    def app(environ, start_response):
        seen.update(environ)
        return []
    ProxyFix(app, **counts)(case["environ"], None)
    results.append({key: seen[key] for key in ${JSON.stringify(KEYS)} if key in seen})
json.dump(results, sys.stdout)
`

function werkzeug(cases: Case[]): Outcome[] {
  const output = execFileSync(testPython().executable, ['-c', WERKZEUG], {
    input: JSON.stringify(cases),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  return JSON.parse(output)
}

function ours({ counts, environ }: Case): Outcome {
  const outcome: Outcome = {}
  const app = proxyFix(counts)((seen) => {
    for (const key of KEYS) if (typeof seen[key] === 'string') outcome[key] = seen[key] as string
    return []
  })
  toFunction(app)(Object.assign(environOf({ headers: [] }), environ), () => () => Promise.resolve())
  return outcome
}

const ONE = { for: 1, proto: 1, host: 1, port: 1, prefix: 1 }
const inner = {
  REMOTE_ADDR: '10.0.0.1',
  'wsgi.url_scheme': 'http',
  HTTP_HOST: 'inner:8000',
  SERVER_NAME: 'inner',
  SERVER_PORT: '8000',
  SCRIPT_NAME: '/inner',
}

describe.skipIf(!hasPython())('proxyFix beside ProxyFix of Werkzeug', () => {
  test('gives the same for each request of a table', () => {
    const table: Case[] = (
      [
        [ONE, {}],
        [ONE, { FOR: '192.0.2.1' }],
        [ONE, { FOR: '6.6.6.6, 192.0.2.1' }],
        [ONE, { FOR: '192.0.2.1:4711' }],
        [ONE, { FOR: '2001:db8::1' }],
        [ONE, { FOR: '"[2001:db8::1]:80"' }],
        [ONE, { FOR: 'unknown' }],
        [ONE, { FOR: ',, ,192.0.2.1, ,' }],
        [ONE, { FOR: '' }],
        [ONE, { FOR: ' , ' }],
        [ONE, { FOR: '""' }],
        [ONE, { FOR: '192.0.2.1, ""' }],
        [{ ...ONE, for: 2 }, { FOR: '192.0.2.1' }],
        [{ ...ONE, for: 2 }, { FOR: '192.0.2.1, 10.0.0.2' }],
        [{ ...ONE, for: 2 }, { FOR: '192.0.2.1, ""' }],
        [{ ...ONE, for: 0 }, { FOR: '6.6.6.6' }],
        [ONE, { PROTO: 'https' }],
        [ONE, { PROTO: 'http,https' }],
        [ONE, { HOST: 'example.com' }],
        [ONE, { HOST: 'example.com:443' }],
        [ONE, { HOST: '[2001:db8::1]' }],
        [ONE, { HOST: '[2001:db8::1]:443' }],
        [ONE, { HOST: 'example.com:443', PORT: '8443' }],
        [ONE, { HOST: '[::1]', PORT: '8443' }],
        [ONE, { PORT: '8443' }],
        [ONE, { PREFIX: '/outer' }],
        [ONE, { PREFIX: '/a, /b/c' }],
        [
          { for: 0, proto: 0, host: 0, port: 0, prefix: 0 },
          { FOR: 'a', PROTO: 'b', HOST: 'c', PORT: '1', PREFIX: '/d' },
        ],
      ] as [Case['counts'], Record<string, string>][]
    ).map(([counts, headers]) => ({
      counts,
      environ: {
        ...inner,
        ...Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [`HTTP_X_FORWARDED_${name}`, value]),
        ),
      },
    }))
    const theirs = werkzeug(table)
    for (const [index, one] of table.entries()) {
      expect({ ...one, gives: ours(one) }).toEqual({ ...one, gives: theirs[index] })
    }
  })

  test('gives the same for any headers that are well-formed, whatever the counts', () => {
    const list = (value: fc.Arbitrary<string>) =>
      fc
        .array(
          fc.tuple(
            fc.oneof({ arbitrary: value, weight: 5 }, { arbitrary: fc.constant(''), weight: 1 }),
            fc.boolean(),
          ),
          {
            maxLength: 4,
          },
        )
        .chain((values) =>
          fc
            .constantFrom(',', ', ', ' ,\t')
            .map((comma) =>
              values.map(([text, quoted]) => (quoted ? `"${text}"` : text)).join(comma),
            ),
        )
    const address = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.tuple(fc.ipV4(), fc.nat(65535)).map(([ip, port]) => `${ip}:${port}`),
      fc.ipV6().map((ip) => `[${ip}]:80`),
      fc.constantFrom('unknown', '_hidden', 'localhost'),
    )
    const host = fc
      .tuple(
        fc.oneof(
          fc.domain(),
          fc.ipV4(),
          fc.ipV6().map((ip) => `[${ip}]`),
        ),
        fc.option(fc.nat(65535)),
      )
      .map(([name, port]) => (port === null ? name : `${name}:${port}`))
    const count = fc.nat(3)
    const option = { requiredKeys: [] as [] }
    const request: fc.Arbitrary<Case> = fc.record({
      counts: fc.record({ for: count, proto: count, host: count, port: count, prefix: count }),
      environ: fc
        .record(
          {
            HTTP_X_FORWARDED_FOR: list(address),
            HTTP_X_FORWARDED_PROTO: list(fc.constantFrom('http', 'https', 'wss', 'h2c')),
            HTTP_X_FORWARDED_HOST: list(host),
            HTTP_X_FORWARDED_PORT: list(fc.nat(65535).map(String)),
            HTTP_X_FORWARDED_PREFIX: list(fc.stringMatching(/^(\/[A-Za-z0-9_.~%-]{1,5}){1,3}$/)),
            HTTP_HOST: host,
          },
          option,
        )
        .map((headers) => {
          const { HTTP_HOST: _, ...without } = inner
          return { ...without, ...headers } as Record<string, string>
        }),
    })
    const cases = fc.sample(request, 2000)
    const theirs = werkzeug(cases)
    for (const [index, one] of cases.entries()) {
      expect({ ...one, gives: ours(one) }).toEqual({ ...one, gives: theirs[index] })
    }
  })

  test('differs where Werkzeug believes what no proxy says, and in these ways only', () => {
    const differences: [Record<string, string>, Outcome, Outcome][] = [
      // A client's quote hides the proxy's value from Werkzeug, and the client is taken for the
      // proxy.
      [{ FOR: '", 192.0.2.1' }, {}, { REMOTE_ADDR: '192.0.2.1' }],
      [{ FOR: '<b>' }, { REMOTE_ADDR: '<b>' }, {}],
      [{ PROTO: 'HTTPS' }, { 'wsgi.url_scheme': 'HTTPS' }, { 'wsgi.url_scheme': 'https' }],
      [{ PROTO: 'a b' }, { 'wsgi.url_scheme': 'a b' }, {}],
      [{ HOST: 'a/b' }, { HTTP_HOST: 'a/b', SERVER_NAME: 'a/b' }, {}],
      [{ PORT: 'x' }, { HTTP_HOST: 'inner:x', SERVER_PORT: 'x' }, {}],
      [{ PREFIX: 'outer' }, { SCRIPT_NAME: 'outer' }, {}],
      [{ PREFIX: '//evil.test' }, { SCRIPT_NAME: '//evil.test' }, {}],
      [{ PREFIX: '/outer/' }, { SCRIPT_NAME: '/outer/' }, { SCRIPT_NAME: '/outer' }],
    ]
    const cases = differences.map(([headers]) => ({
      counts: ONE,
      environ: {
        ...inner,
        ...Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [`HTTP_X_FORWARDED_${name}`, value]),
        ),
      },
    }))
    const theirs = werkzeug(cases)
    for (const [index, [headers, expectedTheirs, expectedOurs]] of differences.entries()) {
      expect({ headers, gives: theirs[index] }).toEqual({
        headers,
        gives: { ...inner, ...expectedTheirs },
      })
      expect({ headers, gives: ours(cases[index]!) }).toEqual({
        headers,
        gives: { ...inner, ...expectedOurs },
      })
    }
  })
})
