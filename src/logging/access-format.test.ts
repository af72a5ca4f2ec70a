import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AccessRecord } from '../observe/access-record.ts'
import {
  AccessFormatError,
  combinedFormat,
  compileAccessFormat,
  unknownAtoms,
} from './access-format.ts'

function record(
  changes: Partial<AccessRecord> = {},
  headers: Record<string, string> = {},
): AccessRecord {
  return {
    remoteAddress: '192.0.2.7',
    method: 'GET',
    target: '/a/b?c=d',
    protocol: 'HTTP/1.1',
    requestLine: 'GET /a/b?c=d HTTP/1.1',
    status: 200,
    bytes: 1234,
    startedAt: Date.UTC(2026, 10, 23, 0, 8, 11, 900),
    seconds: 2.0345678,
    header: (name) => headers[name],
    ...changes,
  }
}

/**
 * What stock tools expect of a line in combined form: every column, quoted ones with backslash
 * escapes.
 */
const combinedLine =
  /^(\S+) (\S+) (\S+) \[(\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$/

describe('the default format', () => {
  test("is Apache's combined form", () => {
    const line = compileAccessFormat(combinedFormat)(
      record({}, { referer: 'http://a/', 'user-agent': 'curl/8' }),
    )
    expect(line.replace(/\[[^\]]*\]/, '[T]')).toBe(
      '192.0.2.7 - - [T] "GET /a/b?c=d HTTP/1.1" 200 1234 "http://a/" "curl/8"',
    )
  })

  test('has a dash for what is absent', () => {
    const line = compileAccessFormat(combinedFormat)(
      record({ remoteAddress: '', requestLine: '', bytes: 0, status: 400 }),
    )
    expect(line.replace(/\[[^\]]*\]/, '[T]')).toBe('- - - [T] "-" 400 - "-" "-"')
  })

  test('stays parseable whatever a client sends', () => {
    const bytes = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
    })
    const format = compileAccessFormat(combinedFormat)
    fc.assert(
      fc.property(bytes, bytes, bytes, bytes, (requestLine, referer, agent, user) => {
        const line = format(record({ requestLine, user }, { referer, 'user-agent': agent }))
        expect(line).toMatch(/^[\x20-\x7e]*$/)
        const columns = combinedLine.exec(line)
        expect(columns).not.toBeNull()
        expect(unescaped(columns![5]!)).toBe(requestLine || '-')
        expect(unescaped(columns![8]!)).toBe(referer || '-')
        expect(unescaped(columns![9]!)).toBe(agent || '-')
        expect(unescaped(columns![3]!)).toBe(user || '-')
      }),
    )
  })
})

describe('atoms', () => {
  test.each([
    ['%(m)s %(U)s %(q)s %(H)s', 'GET /a/b c=d HTTP/1.1'],
    ['%(b)s %(B)s %(s)s', '1234 1234 200'],
    ['%(T)s %(M)s %(D)s %(L)s', '2 2034 2034567 2.034567'],
    ['%(p)s', `<${process.pid}>`],
    ['%({X-One}i)s %({x-two}i)s', '1 -'],
    ['%({server}o)s %({server_port}e)s', '- -'],
    ['100%% %(s)s%%', '100% 200%'],
    ['%%(s)s', '%(s)s'],
    ['"é€"\t\\', '"\\xc3\\xa9\\xe2\\x82\\xac"\t\\'],
  ])('%j', (format, line) => {
    expect(compileAccessFormat(format)(record({}, { 'x-one': '1' }))).toBe(line)
  })

  test('response headers and environ variables are asked for in lower case', () => {
    const line = compileAccessFormat('%({Content-Type}o)s %({SERVER_PORT}e)s')(
      record({ responseHeader: (name) => `[${name}]`, variable: (name) => `<${name}>` }),
    )
    expect(line).toBe('[content-type] <server_port>')
  })

  test('the time is that at which the request began, in local time', () => {
    const zone = process.env.TZ
    process.env.TZ = 'America/St_Johns'
    try {
      const format = compileAccessFormat('%(t)s')
      expect(format(record())).toBe('[22/Nov/2026:20:38:11 -0330]')
      expect(format(record({ startedAt: Date.UTC(2026, 10, 23, 0, 8, 12) }))).toBe(
        '[22/Nov/2026:20:38:12 -0330]',
      )
      expect(format(record())).toBe('[22/Nov/2026:20:38:11 -0330]')
    } finally {
      if (zone === undefined) delete process.env.TZ
      else process.env.TZ = zone
    }
  })

  test('path and query are those of the target, in absolute form too; no query is empty', () => {
    const format = compileAccessFormat('%(U)s %(q)s')
    expect(format(record({ target: 'http://host:80/x?y' }))).toBe('/x y')
    expect(format(record({ target: 'http://host' }))).toBe('/ ')
    expect(format(record({ target: '*' }))).toBe('* ')
    expect(format(record({ target: '/?a?b' }))).toBe('/ a?b')
  })

  test('the user comes from Basic credentials when it is not given', () => {
    const format = compileAccessFormat('%(u)s')
    const basic = (text: string) => ({
      authorization: `Basic ${Buffer.from(text).toString('base64')}`,
    })
    expect(format(record({}, basic('ann:secret')))).toBe('ann')
    expect(format(record({}, basic('a b:c')))).toBe('a\\x20b')
    expect(format(record({}, basic('nocolon')))).toBe('-')
    expect(format(record({}, { authorization: 'Bearer abc' }))).toBe('-')
    expect(format(record({ user: 'bob' }, basic('ann:secret')))).toBe('bob')
  })

  test.each(['%(x)s', '%(toString)s', '%({a}x)s', '%({}i)s'])(
    '%j does not exist, so it stands for nothing, as in Gunicorn',
    (atom) => {
      expect(unknownAtoms(`%(h)s ${atom} %%(y)s`)).toEqual([atom])
      expect(compileAccessFormat(`[${atom}]`)(record({}))).toBe('[-]')
      expect(compileAccessFormat(`json:{"a": "${atom}"}`)(record({}))).toBe('{"a":null}')
    },
  )

  test.each(['%', '100%', '%h', '%(h)d', '%(x)d', '%(h'])('%j is refused', (format) => {
    expect(() => compileAccessFormat(format)).toThrow(AccessFormatError)
  })
})

function unescaped(text: string): string {
  const short: Record<string, string> = { b: '\b', n: '\n', r: '\r', t: '\t', v: '\v' }
  return text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex?: string, other?: string) =>
    hex === undefined ? (short[other!] ?? other!) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}
