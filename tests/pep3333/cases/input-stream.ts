import { createHash } from 'node:crypto'
import { type PepCase, type Section, threads, unbuffered, type Variant } from '../case.ts'
import { type CaseRequest, content, everyByte, type Probe, summary } from '../probe.ts'

const section: Section = 'Input and Error Streams'
const lines = 'ab\ncd\r\n\nlast'

/** What an application that reads in that way gets, as Python writes it. */
async function read(probe: Probe, reader: string, options: CaseRequest = {}): Promise<string> {
  const response = await probe.ask('read_input', {
    method: 'POST',
    body: lines,
    ...options,
    headers: [['X-Reader', reader], ...(options.headers ?? [])],
  })
  return response.status === 200 ? response.body.toString('latin1') : summary(response)
}

function reading(
  id: string,
  level: PepCase['level'],
  reader: string,
  rule: string,
  expect: string,
  more: { on?: Variant; options?: CaseRequest } & Pick<PepCase, 'gunicorn'> = {},
): PepCase {
  const { options, ...rest } = more
  return { id, section, level, rule, expect, run: (probe) => read(probe, reader, options), ...rest }
}

/**
 * Sends a first request with a body and a second one behind it, and says how both were answered.
 */
async function pair(probe: Probe, first: Buffer): Promise<string> {
  const connection = await probe.connect()
  await connection.send(first)
  const answers = [content(await connection.readResponse())]
  await connection.send(probe.request('echo_input', { method: 'POST', body: 'second' }))
  answers.push(content(await connection.readResponse()))
  return answers.join(', then ')
}

const chunked = [['Transfer-Encoding', 'chunked']] as const
const chunkedBody = '5;name=value\r\nhello\r\n7\r\n, world\r\n0\r\nX-Trailer: t\r\n\r\n'

interface ChunkedReport {
  CONTENT_LENGTH: string | null
  HTTP_TRANSFER_ENCODING: string | null
  'wsgi.input_terminated': string
  body: string
}

export const inputStreamCases: readonly PepCase[] = [
  reading(
    'input-read-all',
    'should',
    'read()',
    'read() without an argument returns the rest of the body.',
    String.raw`b'ab\ncd\r\n\nlast'`,
  ),
  reading(
    'input-read-negative',
    'should',
    'read(-1)',
    'read(-1) returns the rest of the body, as in Python\u2019s io module.',
    String.raw`b'ab\ncd\r\n\nlast'`,
  ),
  reading(
    'input-read-none',
    'should',
    'read(None)',
    'read(None) returns the rest of the body.',
    String.raw`b'ab\ncd\r\n\nlast'`,
  ),
  reading(
    'input-read-zero',
    'must',
    'read(0) read(0) read()',
    'read(0) returns an empty bytestring and consumes nothing.',
    String.raw`[b'', b'', b'ab\ncd\r\n\nlast']`,
  ),
  reading(
    'input-read-size',
    'must',
    'read(3) until empty',
    'read(size) returns exactly that many bytes, fewer only at the end of the body, and ' +
      'then empty bytestrings.',
    String.raw`[b'ab\n', b'cd\r', b'\n\nl', b'ast']`,
  ),
  reading(
    'input-read-past-end',
    'should',
    'read(1000) read(1000) read()',
    'Reading beyond the Content-Length returns end of file, not bytes of the next ' + 'request.',
    String.raw`[b'ab\ncd\r\n\nlast', b'', b'']`,
    { on: threads },
  ),
  reading(
    'input-readline',
    'must',
    'readline() until empty',
    'readline() returns a line including its line end; a lone CR does not end a line, ' +
      'and line ends are not converted.',
    String.raw`[b'ab\n', b'cd\r\n', b'\n', b'last']`,
  ),
  reading(
    'input-readline-size',
    'should',
    'readline(3) until empty',
    'readline(size) returns at most that many bytes of a line.',
    String.raw`[b'ab\n', b'cd\r', b'\n', b'\n', b'las', b't']`,
  ),
  reading(
    'input-readline-edge',
    'should',
    'readline(-1) readline(0)',
    'readline(-1) returns a whole line, readline(0) an empty bytestring.',
    String.raw`[b'ab\n', b'']`,
  ),
  reading(
    'input-readlines',
    'must',
    'readlines()',
    'readlines() returns a list of the remaining lines.',
    String.raw`[b'ab\n', b'cd\r\n', b'\n', b'last']`,
  ),
  reading(
    'input-readlines-hint',
    'must',
    'readlines(4)',
    'readlines(hint) accepts the argument; no line is lost.',
    String.raw`b'ab\ncd\r\n\nlast'`,
  ),
  reading(
    'input-iteration',
    'must',
    'for line in input',
    'Iteration yields the lines.',
    String.raw`[b'ab\n', b'cd\r\n', b'\n', b'last']`,
  ),
  reading(
    'input-mixed',
    'must',
    'read(2) readline() readlines() read()',
    'All reading methods share one position.',
    String.raw`[b'ab', b'\n', b'cd\r\n', b'\n', b'last', b'']`,
  ),
  reading(
    'input-exhausted',
    'should',
    'read() read() readline() readlines() list',
    'At the end of the stream, every method returns its empty value, however often it ' +
      'is called.',
    String.raw`[b'ab\ncd\r\n\nlast', b'', b'', [], []]`,
  ),
  reading(
    'input-empty',
    'should',
    'read() read() readline() readlines() list',
    'A request without a body has an empty stream; reading it does not block.',
    "[b'', b'', b'', [], []]",
    { on: threads, options: { method: 'GET', body: '', framed: true } },
  ),
  reading(
    'input-length-zero',
    'should',
    'read()',
    'A request with Content-Length: 0 has an empty stream too.',
    "b''",
    {
      on: threads,
      options: { body: '' },
    },
  ),
  reading(
    'input-unbuffered',
    'must',
    'read(2) readline() readlines() read()',
    'The methods also share one position if the body is streamed instead of buffered.',
    String.raw`[b'ab', b'\n', b'cd\r\n', b'\n', b'last', b'']`,
    { on: unbuffered },
  ),
  reading(
    'input-unbuffered-past-end',
    'should',
    'read(1000) read(1000) read()',
    'Reading beyond the Content-Length of a streamed body returns end of file too.',
    String.raw`[b'ab\ncd\r\n\nlast', b'', b'']`,
    { on: unbuffered },
  ),
  {
    id: 'input-arrives-in-pieces',
    section,
    level: 'must',
    rule: 'read(size) returns all requested bytes even if the body arrives byte by byte.',
    on: unbuffered,
    run: async (probe) => {
      const connection = await probe.connect()
      const request = probe.request('read_input', {
        method: 'POST',
        body: lines,
        headers: [['X-Reader', 'read(3) until empty']],
      })
      await connection.sendSplit(
        request,
        Array.from({ length: lines.length }, (_, index) => request.length - lines.length + index),
        2,
      )
      return content(await connection.readResponse())
    },
    expect: JSON.stringify(String.raw`[b'ab\n', b'cd\r', b'\n\nl', b'ast']`),
  },
  {
    id: 'input-bytes',
    section: 'Unicode Issues',
    level: 'must',
    rule:
      'The input yields bytes, and each of the 256 values arrives unchanged (tried with 3 ' +
      'MiB, more than is kept in memory).',
    run: async (probe) => {
      const body = everyByte(3 * 4096)
      const seen = await probe.report<{ types: string[]; length: number; sha256: string }>(
        'digest_input',
        {
          method: 'POST',
          body,
        },
      )
      const same = seen.sha256 === createHash('sha256').update(body).digest('hex')
      return `${seen.types.join('/')}, ${seen.length} long, ${same ? 'equal' : 'not equal'}`
    },
    expect: `bytes, ${3 * 1024 * 1024} long, equal`,
  },
  {
    id: 'input-not-past-length',
    section,
    level: 'should',
    rule: 'An application that reads to the end gets no byte of a pipelined request.',
    on: threads,
    run: async (probe) => {
      const connection = await probe.connect()
      const first = probe.request('read_input', {
        method: 'POST',
        body: 'first',
        headers: [['X-Reader', 'read()']],
      })
      await connection.send(
        Buffer.concat([first, probe.request('echo_input', { method: 'POST', body: 'second' })]),
      )
      const answers = [await connection.readResponse(), await connection.readResponse()]
      return answers.map(content).join(', then ')
    },
    expect: `"b'first'", then "second"`,
  },
  {
    id: 'input-unread',
    section,
    level: 'must',
    rule:
      'A body that the application does not read does not corrupt the next request on the ' +
      'connection.',
    on: threads,
    run: (probe) =>
      pair(
        probe,
        probe.request('ignore_input', { method: 'POST', body: 'GET /smuggled HTTP/1.1\r\n\r\n' }),
      ),
    expect: '"ignored", then "second"',
  },
  {
    id: 'input-read-in-part',
    section,
    level: 'must',
    rule:
      'A body that the application reads partially does not corrupt the next request ' + 'either.',
    on: threads,
    run: (probe) =>
      pair(
        probe,
        probe.request('peek_input', { method: 'POST', body: 'GET /smuggled HTTP/1.1\r\n\r\n' }),
      ),
    expect: '"GE", then "second"',
  },
  {
    id: 'input-unread-unbuffered',
    section,
    level: 'must',
    rule: 'An unread streamed body does not corrupt the next request either.',
    on: unbuffered,
    run: (probe) =>
      pair(
        probe,
        probe.request('ignore_input', { method: 'POST', body: 'GET /smuggled HTTP/1.1\r\n\r\n' }),
      ),
    expect: '"ignored", then "second"',
  },
  {
    id: 'input-chunked',
    section: 'Other HTTP Features',
    level: 'must',
    rule:
      'The server decodes a chunked request body; chunk extensions and trailers are not ' +
      'part of the input.',
    run: async (probe) => {
      const seen = await probe.report<ChunkedReport>('chunked_input', {
        method: 'POST',
        headers: chunked,
        body: chunkedBody,
        framed: true,
      })
      return JSON.stringify(seen.body)
    },
    expect: '"hello, world"',
  },
  {
    id: 'input-chunked-announced',
    section: 'Other HTTP Features',
    level: 'must',
    rule:
      'The application can determine the length of a chunked body and does not have to ' +
      'decode it.',
    run: async (probe) => {
      const seen = await probe.report<ChunkedReport>('chunked_input', {
        method: 'POST',
        headers: chunked,
        body: chunkedBody,
        framed: true,
      })
      return (
        `CONTENT_LENGTH ${seen.CONTENT_LENGTH ?? 'absent'}, HTTP_TRANSFER_ENCODING ` +
        `${seen.HTTP_TRANSFER_ENCODING ?? 'absent'}, wsgi.input_terminated ` +
        `${seen['wsgi.input_terminated']}`
      )
    },
    expect: 'CONTENT_LENGTH 12, HTTP_TRANSFER_ENCODING absent, wsgi.input_terminated True',
    gunicorn: {
      sees: 'CONTENT_LENGTH absent, HTTP_TRANSFER_ENCODING chunked, wsgi.input_terminated True',
      weAre: 'conforms',
      why:
        'Monoceros reads the whole body before the application runs, so it knows the ' +
        'length. An application that follows the PEP strictly and reads CONTENT_LENGTH ' +
        'bytes gets the body; with gunicorn it gets none.',
    },
    typescript: {
      sees: 'CONTENT_LENGTH absent, HTTP_TRANSFER_ENCODING chunked, wsgi.input_terminated True',
      because: 'choice',
      why:
        'The application runs while the body arrives, as in Python with ' +
        '`--no-request-buffering`. It reads to the end, which wsgi.input_terminated ' +
        'permits.',
    },
  },
  {
    id: 'input-chunked-unbuffered',
    section: 'Other HTTP Features',
    level: 'must',
    rule:
      'A streamed chunked body is decoded too; its length is unknown, and ' +
      'wsgi.input_terminated is true, so the application can read to the end.',
    on: unbuffered,
    run: async (probe) => {
      const seen = await probe.report<ChunkedReport>('chunked_input', {
        method: 'POST',
        headers: chunked,
        body: chunkedBody,
        framed: true,
      })
      return (
        `${JSON.stringify(seen.body)}, CONTENT_LENGTH ${seen.CONTENT_LENGTH || 'absent'}, ` +
        `wsgi.input_terminated ${seen['wsgi.input_terminated']}`
      )
    },
    expect: '"hello, world", CONTENT_LENGTH absent, wsgi.input_terminated True',
  },
  {
    id: 'input-chunked-unread',
    section: 'Other HTTP Features',
    level: 'must',
    rule: 'An unread chunked body does not corrupt the next request on the connection.',
    on: threads,
    run: (probe) =>
      pair(
        probe,
        probe.request('ignore_input', {
          method: 'POST',
          headers: chunked,
          body: chunkedBody,
          framed: true,
        }),
      ),
    expect: '"ignored", then "second"',
  },
  {
    id: 'connection-close',
    section: 'Other HTTP Features',
    level: 'must',
    rule:
      'The server handles incoming hop-by-hop fields itself: after Connection: close from ' +
      'the client, it closes the connection.',
    on: threads,
    run: async (probe) => {
      const connection = await probe.connect()
      const response = await connection.request(
        probe.request('counted', { headers: [['connection', 'Close']] }),
      )
      const ending = await connection.expectEnd()
      return `${summary(response)}, Connection: ${response.header('Connection')}, ${ending}`
    },
    expect: '200 OK: "counted", Connection: close, closed',
  },
  {
    id: 'connection-kept',
    section: 'Other HTTP Features',
    level: 'may',
    rule:
      'Without Connection: close, the connection stays open for the next request, the ' +
      'default of HTTP/1.1.',
    run: async (probe) => {
      const connection = await probe.connect()
      const first = await connection.request(probe.request('closes'))
      const second = await connection.request(probe.request('counted'))
      return `${summary(first)}, then ${summary(second)}`
    },
    expect: '200 OK: "closed", then 200 OK: "counted"',
    gunicorn: {
      sees: 'no answer',
      weAre: 'choice',
      why: 'Gunicorn\u2019s default worker does not support keep-alive.',
    },
  },
  {
    id: 'expect-continue',
    section: 'HTTP 1.1 Expect/Continue',
    level: 'must',
    rule: 'A client that waits for 100 (Continue) gets it, and the application gets the body.',
    run: async (probe) => {
      const connection = await probe.connect()
      const request = probe.request('echo_input', {
        method: 'POST',
        body: 'awaited',
        headers: [['Expect', '100-continue']],
      })
      await connection.send(request.subarray(0, -'awaited'.length))
      const first = await connection.readResponse()
      if (first.status !== 100) return `at first ${summary(first)}`
      await connection.send('awaited')
      return `100, then ${summary(await connection.readResponse())}`
    },
    expect: '100, then 200 OK: "awaited"',
  },
  {
    id: 'expect-continue-unread',
    section: 'HTTP 1.1 Expect/Continue',
    level: 'must',
    rule:
      'A client that waits for 100 (Continue) gets a response even if the application ' +
      'never reads the body.',
    run: async (probe) => {
      const connection = await probe.connect()
      const request = probe.request('ignore_input', {
        method: 'POST',
        body: 'awaited',
        headers: [['Expect', '100-continue']],
      })
      await connection.send(request.subarray(0, -'awaited'.length))
      const first = await connection.readResponse()
      if (first.status !== 100) return summary(first)
      await connection.send('awaited')
      return `100, then ${summary(await connection.readResponse())}`
    },
    expect: '100, then 200 OK: "ignored"',
    typescript: {
      sees: '200 OK: "ignored"',
      because: 'choice',
      why:
        'The server sends 100 (Continue) only when the application reads the body, so the ' +
        'client need not upload a body that is not used.',
    },
  },
  {
    id: 'expect-continue-1.0',
    section: 'HTTP 1.1 Expect/Continue',
    level: 'must',
    rule: 'HTTP/1.0 does not have this mechanism, so Expect is ignored.',
    run: async (probe) => {
      const connection = await probe.connect()
      const request = probe.request('echo_input', {
        version: '1.0',
        method: 'POST',
        body: 'sent',
        headers: [['Expect', '100-continue']],
      })
      await connection.send(request)
      return summary(await connection.readResponse())
    },
    expect: '200 OK: "sent"',
  },
  {
    id: 'expect-unknown',
    section: 'HTTP 1.1 Expect/Continue',
    level: 'must',
    rule: 'An unknown expectation is answered with 417 (RFC 9110 §10.1.1).',
    run: async (probe) => {
      const response = await probe.ask('echo_input', {
        method: 'POST',
        body: 'sent',
        headers: [['Expect', 'a-miracle']],
      })
      return String(response.status)
    },
    expect: '417',
  },
]
