import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quoteText } from '../bytes/quoted.ts'
import type { RequestTrace } from '../observe/request-trace.ts'
import { traceNote } from '../observe/trace-note.ts'
import { compileAccessFormat } from './access-format.ts'
import { jsonEntry, jsonOutput } from './json-entry.ts'
import { WholeLines } from './whole-lines.ts'

const entry = (text: string) => JSON.parse(jsonEntry('T', 7, 'error', text))

test('a traceback is a member of its own', () => {
  const python = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no'
  expect(entry(`Error handling request\n${python}`)).toEqual({
    time: 'T',
    level: 'error',
    pid: 7,
    message: 'Error handling request',
    traceback: python,
  })
  expect(entry(python)).toMatchObject({ message: 'ValueError: no', traceback: python })
  const node = 'Error: no\n    at f (a.js:1:1)\n    at g (a.js:2:2)'
  expect(entry(`It failed\n${node}`)).toMatchObject({ message: 'It failed', traceback: node })
  expect(entry('two\nlines')).toEqual({ time: 'T', level: 'error', pid: 7, message: 'two\nlines' })
})

describe('an entry about a request with a trace', () => {
  const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) } as RequestTrace
  const note = traceNote(trace)

  test('has its ids as members, and not in the message', () => {
    expect(entry(`Answering 503 to "GET / HTTP/1.1"${note}: it is full`)).toMatchObject({
      message: 'Answering 503 to "GET / HTTP/1.1": it is full',
      trace_id: trace.traceId,
      span_id: trace.spanId,
    })
    const python = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: no'
    expect(entry(`Error handling request "GET / HTTP/1.1"${note}\n${python}`)).toMatchObject({
      message: 'Error handling request "GET / HTTP/1.1"',
      traceback: python,
      trace_id: trace.traceId,
    })
  })

  test("property: whatever a client sends as its request line, the ids are the server's", () => {
    const forged = ` (trace ${'c'.repeat(32)}, span ${'d'.repeat(16)})`
    const line = fc
      .array(fc.constantFrom(forged, '"', '\\', '\n', 'GET /', 'é'), { maxLength: 8 })
      .map((parts) => parts.join(''))
    fc.assert(
      fc.property(line, (text) => {
        const found = entry(`Refused ${quoteText(text)}${note} from 192.0.2.7`)
        expect(found.trace_id).toBe(trace.traceId)
        expect(entry(`Refused ${quoteText(text)} from 192.0.2.7`).trace_id).toBeUndefined()
      }),
    )
  })
})

test('whatever the text is, an entry is one line of JSON', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const line of [jsonEntry('T', 1, 'info', text), jsonOutput('T', 1, 'stdout', text)]) {
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(JSON.parse(line).pid).toBe(1)
      }
    }),
  )
})

test('whatever bytes a client sends, an access line is JSON in ASCII', () => {
  const bytes = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
  })
  const formats = [
    'json',
    'json:{"a": "%(r)s", "b": "x %(U)s \u00e9", "c": "%({x}i)s", "n": "%(B)s"}',
  ]
  for (const format of formats.map((format) => compileAccessFormat(format))) {
    fc.assert(
      fc.property(bytes, bytes, (target, value) => {
        const line = format({
          remoteAddress: '',
          method: 'GET',
          target,
          protocol: 'HTTP/1.1',
          requestLine: target,
          status: 200,
          bytes: 3,
          startedAt: 0,
          seconds: 0.5,
          header: () => value,
        })
        expect(line).toMatch(/^[\x20-\x7e]*$/)
        expect(typeof JSON.parse(line)).toBe('object')
      }),
    )
  }
})

test('members of a JSON format keep their types; mistakes are refused', () => {
  const record = {
    remoteAddress: '::1',
    method: 'GET',
    target: '/a?b',
    protocol: 'HTTP/1.1',
    requestLine: 'GET /a?b HTTP/1.1',
    status: 200,
    bytes: 0,
    startedAt: 0,
    seconds: 0.25,
    header: () => undefined,
  }
  const line = compileAccessFormat(
    'json:{"s": "%(s)s", "t": "%(L)s", "both": "%(m)s %(U)s", "none": "%({x}i)s", "p": "100%%"}',
  )(record)
  expect(JSON.parse(line)).toEqual({ s: 200, t: 0.25, both: 'GET /a', none: null, p: '100%' })
  for (const wrong of ['json:', 'json:[]', 'json:{"a": 1}', 'json:{"a": "%(U)d"}'])
    expect(() => compileAccessFormat(wrong)).toThrow()
})

test('raw output is passed on byte for byte, cut after line ends only', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'bc\n', '\n', '\u00e9')), (chunks) => {
      const delivered: Buffer[] = []
      const lines = new WholeLines((bytes) => delivered.push(bytes))
      for (const chunk of chunks) lines.push(Buffer.from(chunk))
      expect(delivered.every((bytes) => bytes.at(-1) === 0x0a)).toBe(true)
      lines.end()
      const text = chunks.join('')
      expect(Buffer.concat(delivered).toString()).toBe(/(^|\n)$/.test(text) ? text : `${text}\n`)
    }),
  )
})
