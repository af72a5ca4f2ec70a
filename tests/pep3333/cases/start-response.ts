import { type PepCase, type Section, threads, unlessStrict } from '../case.ts'
import { content, outcome, type Probe, readUntil, summary } from '../probe.ts'

const section: Section = 'The start_response() Callable'

/** Calls start_response with these arguments, written in Python, and says whether it took them. */
async function call(probe: Probe, literal: string): Promise<string> {
  const response = await probe.ask('called_with', { method: 'POST', body: literal })
  if (probe.notes().includes('accepted')) return `accepted, ${summary(response)}`
  return `refused, ${summary(response)}`
}

function refusing(
  id: string,
  level: PepCase['level'],
  literal: string,
  rule: string,
  more: Partial<Pick<PepCase, 'gunicorn' | 'typescript' | 'section'>> = {},
): PepCase {
  return {
    id,
    section,
    level,
    rule,
    run: (probe) => call(probe, literal),
    expect: 'refused, 500',
    ...more,
  }
}

/** Asks for an answer that breaks off after `part`, opens the gate, and reads what follows. */
async function breakOff(
  probe: Probe,
  app: string,
  headers: [string, string][] = [],
): Promise<string> {
  const connection = await probe.connect()
  await connection.send(probe.request(app, { headers }))
  const response = await connection.readResponse('GET', { bodyless: true })
  const seen = await readUntil(connection, 'part')
  probe.open('seen')
  const { rest } = await connection.readToEnd()
  connection.close()
  const whole = `${seen}${rest.toString('latin1')}`
  const ended =
    response.framing === 'chunked' && whole.includes('\r\n0\r\n\r\n')
      ? 'ended as if complete'
      : 'broken off'
  const body = whole.replace(/\r?\n?[0-9a-f]+\r\n/gi, '').replace(/\r\n/g, '')
  return `${response.status}, ${JSON.stringify(body)}, ${ended}`
}

const headerTable: readonly [id: string, level: PepCase['level'], header: string, rule: string][] =
  [
    ['header-name-bytes', 'must', "(b'X-Name', 'value')", 'A header name is a str, not bytes.'],
    ['header-value-bytes', 'must', "('X-Name', b'value')", 'A header value is a str, not bytes.'],
    ['header-value-int', 'must', "('Content-Length', 7)", 'A header value is a str, not a number.'],
    ['header-value-none', 'must', "('X-Name', None)", 'A header value is a str, not None.'],
    ['header-name-empty', 'must', "('', 'value')", 'A header name is not empty.'],
    [
      'header-name-colon',
      'must',
      "('X-Name:', 'value')",
      'A header name does not end with a colon.',
    ],
    ['header-name-space', 'must', "('X Name', 'value')", 'A header name contains no space.'],
    [
      'header-name-line-end',
      'must',
      "('X-Name\\r\\nInjected', 'value')",
      'A header name contains no line end.',
    ],
    [
      'header-name-non-ascii',
      'must',
      "('X-N\\xe4me', 'value')",
      'A header name is a token, which is ASCII only.',
    ],
    [
      'header-value-crlf',
      'must',
      "('X-Name', 'a\\r\\nInjected: b')",
      'A header value contains no CR LF.',
    ],
    [
      'header-value-crlf-end',
      'must',
      "('X-Name', 'a\\r\\n')",
      'A header value does not end in CR LF.',
    ],
    [
      'header-value-lf',
      'must',
      "('X-Name', 'a\\nInjected: b')",
      'A header value contains no line feed.',
    ],
    [
      'header-value-cr',
      'must',
      "('X-Name', 'a\\rb')",
      'A header value contains no carriage return.',
    ],
    ['header-value-nul', 'must', "('X-Name', 'a\\0b')", 'A header value contains no NUL.'],
    [
      'header-value-control',
      'must',
      "('X-Name', 'a\\x1b[2Jb\\x7f')",
      'A header value contains no other control characters.',
    ],
  ]

export const startResponseCases: readonly PepCase[] = [
  {
    id: 'returns-write',
    section,
    level: 'must',
    rule: 'start_response returns a callable.',
    run: async (probe) => content(await probe.ask('returns_write')),
    expect: '"callable"',
  },
  {
    id: 'start-not-called',
    section: 'Specification Details',
    level: 'must',
    rule:
      'Yielding a body without calling start_response is an error; nothing of the body is ' +
      'sent.',
    run: async (probe) => summary(await probe.ask('never_calls')),
    expect: '500',
    gunicorn: {
      sees: 'malformed answer: not a status line: "HTTP/1.1 None"',
      weAre: 'conforms',
      why: 'Gunicorn sends a head although it has none, with None as its status.',
    },
  },
  {
    id: 'start-not-called-no-body',
    section: 'Specification Details',
    level: 'must',
    rule: 'It is an error if the application neither calls start_response nor yields a body.',
    run: async (probe) => summary(await probe.ask('never_calls_nor_yields')),
    expect: '500',
    gunicorn: {
      sees: 'malformed answer: not a status line: "HTTP/1.1 None"',
      weAre: 'conforms',
      why: 'Gunicorn sends a head although it has none, with None as its status.',
    },
  },
  {
    id: 'start-in-first-iteration',
    section: 'Specification Details',
    level: 'must',
    rule: 'start_response may be called during the first iteration.',
    run: async (probe) => {
      const response = await probe.ask('calls_in_first_iteration')
      return `${summary(response)}, X-When: ${response.header('X-When')}`
    },
    expect: '200 OK: "late head", X-When: first iteration',
  },
  {
    id: 'start-after-empty-chunk',
    section: 'Specification Details',
    level: 'must',
    rule: 'start_response may be called after an empty chunk, which does not begin the body.',
    run: async (probe) => {
      const response = await probe.ask('calls_after_empty_chunk')
      return response.status === 200
        ? `${summary(response)}, X-When: ${response.header('X-When')}`
        : summary(response)
    },
    expect: '200 OK: "late head", X-When: after an empty chunk',
    gunicorn: {
      sees: 'malformed answer: not a status line: "HTTP/1.1 None"',
      weAre: 'conforms',
      why: 'Gunicorn sends a head although it has none, with None as its status.',
    },
  },
  {
    id: 'start-after-first-chunk',
    section: 'Specification Details',
    level: 'must',
    rule: 'Calling start_response after the first non-empty chunk is an error.',
    run: async (probe) => summary(await probe.ask('calls_after_first_chunk')),
    expect: '500',
    gunicorn: {
      sees: 'malformed answer: not a status line: "HTTP/1.1 None"',
      weAre: 'conforms',
      why: 'Gunicorn sends a head although it has none, with None as its status.',
    },
  },
  {
    id: 'start-twice',
    section,
    level: 'must',
    rule: 'A second call without exc_info raises an error in the application.',
    run: async (probe) => {
      const response = await probe.ask('calls_twice')
      return [...probe.notes(), summary(response)].join(', ')
    },
    expect: 'raised AssertionError, 500',
    typescript: {
      sees: 'raised WSGIError, 500',
      because: 'words',
      why: 'Every violation raises a WSGIError that names the rule.',
    },
  },
  {
    id: 'start-twice-none',
    section,
    level: 'must',
    rule: 'A second call with exc_info=None counts as a call without exc_info.',
    run: async (probe) => {
      const response = await probe.ask('calls_twice_with_none')
      return [...probe.notes(), summary(response)].join(', ')
    },
    expect: 'raised AssertionError, 500',
    typescript: {
      sees: 'raised WSGIError, 500',
      because: 'words',
      why: 'Every violation raises a WSGIError that names the rule.',
    },
  },
  {
    id: 'start-twice-after-refusal',
    section,
    level: 'must',
    rule: 'A second call without exc_info is an error even if the first call raised one.',
    run: async (probe) => {
      const response = await probe.ask('calls_again_after_refusal')
      return [...probe.notes(), summary(response)].join(', ')
    },
    expect: 'first refused, raised AssertionError, 500',
    typescript: {
      sees: 'first refused, raised WSGIError, 500',
      because: 'words',
      why: 'Every violation raises a WSGIError that names the rule.',
    },
  },
  {
    id: 'start-recovers',
    section,
    level: 'should',
    rule:
      'start_response checks the headers itself, so the application can still send a ' +
      'different response.',
    run: async (probe) => {
      const response = await probe.ask('recovers_from_bad_headers')
      const left = response.header('Left-Over') ? ', with a header of the first call' : ''
      return `${summary(response)}${left}`
    },
    expect: '400 Recovered: "recovered"',
  },
  {
    id: 'exc-info-replaces',
    section,
    level: 'must',
    rule: 'With exc_info, before the head is sent, the status and all headers are replaced.',
    run: async (probe) => {
      const response = await probe.ask('replaces_before_head')
      const ofTheFirst = response.header('X-First')
        ? 'headers of the first call too'
        : 'only the new headers'
      return `${response.status} ${response.reason}, ${ofTheFirst}, ${content(response)}`
    },
    expect: '503 Replaced, only the new headers, "replaced"',
    gunicorn: {
      sees: '503 Replaced, headers of the first call too, "replaced", broken off',
      weAre: 'conforms',
      why:
        'Gunicorn adds the new headers to those of the first call and keeps the ' +
        'Content-Length of the abandoned body.',
    },
  },
  {
    id: 'exc-info-replaces-late',
    section,
    level: 'must',
    rule:
      'The same applies during iteration as long as all chunks were empty: these do not ' +
      'send the head.',
    run: async (probe) => {
      const response = await probe.ask('replaces_after_empty_chunk')
      const ofTheFirst = response.header('X-First')
        ? 'headers of the first call too'
        : 'only the new headers'
      return `${response.status} ${response.reason}, ${ofTheFirst}, ${content(response)}`
    },
    expect: '503 Replaced, only the new headers, "replaced"',
    gunicorn: {
      sees: '200 OK, headers of the first call too, "", broken off',
      weAre: 'conforms',
      why:
        'Gunicorn sends the head with the empty chunk, so the application can no longer ' +
        'replace it.',
    },
  },
  {
    id: 'exc-info-first-call',
    section,
    level: 'must',
    rule: 'The first call may have exc_info.',
    run: async (probe) => summary(await probe.ask('exc_info_first')),
    expect: '500 Handled: "handled"',
  },
  {
    id: 'exc-info-after-head',
    section,
    level: 'must',
    rule:
      'With exc_info, after the head is sent, start_response re-raises that exception, ' +
      'and the response is aborted.',
    run: async (probe) => {
      const connection = await probe.connect()
      await connection.send(probe.request('exc_info_after_head'))
      const response = await connection.readResponse('GET', { bodyless: true })
      const seen = await readUntil(connection, 'sent')
      probe.open('seen')
      const { rest } = await connection.readToEnd()
      connection.close()
      const all = seen + rest.toString('latin1')
      const ending = all.includes('0\r\n\r\n') ? 'ended as if complete' : 'broken off'
      return (
        `${response.status}, ${probe.notes().join(', ')}, ` +
        `${ending}${all.includes('error page') ? ', error page sent' : ''}`
      )
    },
    expect: '200, raised the same error, broken off',
  },
  {
    id: 'exc-info-let-go',
    section,
    level: 'should',
    rule: 'The server keeps no reference to exc_info after the call.',
    run: async (probe) => {
      await probe.ask('exc_info_kept')
      return probe.report('exc_info_let_go')
    },
    expect: 'let go',
  },
  {
    id: 'head-not-early',
    section,
    level: 'must',
    rule:
      'start_response itself sends nothing: the head is sent with the first non-empty ' + 'chunk.',
    run: async (probe) => {
      const connection = await probe.connect()
      await connection.send(probe.request('head_before_body'))
      await probe.noted('started')
      // What was sent before the note is in the socket by now; a round trip later this side has
      // seen it too.
      await probe.connect()
      const before = connection.socket.readableLength > 0 ? 'the head' : 'nothing'
      probe.open('looked')
      return `${before} before the body, ${summary(await connection.readResponse())}`
    },
    expect: 'nothing before the body, 200 OK: "body"',
    gunicorn: {
      sees: 'the head before the body, 200 OK: "body"',
      weAre: 'conforms',
      why: 'With gunicorn, an empty chunk sends the head.',
    },
  },
  {
    id: 'headers-kept',
    section,
    level: 'must',
    rule:
      'Headers are sent unchanged: repetitions, order, every valid name and value, ' +
      'latin-1 in status and values.',
    run: async (probe) => {
      const response = await probe.ask('keeps_headers')
      const cookies = response.all('Set-Cookie').join(' & ')
      const latin = Array.from({ length: 256 }, (_, code) => code)
        .filter((code) => (code > 0x20 && code < 0x7f) || code >= 0xa0)
        .map((code) => String.fromCharCode(code))
        .join('')
      const names = response.headers.map(([name]) => name)
      const order = ['Set-Cookie', 'X-Between', 'Set-Cookie', "!#$%&'*+-.^_`|~x", 'X-Latin']
      return [
        `${response.status} ${response.reason}`,
        cookies,
        names.filter((name) => order.includes(name)).join() === order.join()
          ? 'in order'
          : names.join(),
        response.header('X-Latin') === latin ? 'latin-1 intact' : 'latin-1 changed',
      ].join(', ')
    },
    expect: '299 Fa\xe7on, a=1; Path=/ & b=2; Path=/, in order, latin-1 intact',
  },
  {
    id: 'headers-not-invented',
    section: 'Other HTTP Features',
    level: 'should',
    rule:
      'The server "plays dumb": it does not add Content-Type or any other header that ' +
      'describes the content.',
    run: async (probe) => {
      const response = await probe.ask('ends', { headers: [['X-Status', '200 OK']] })
      const own = /^(date|server|connection|keep-alive|content-length|transfer-encoding)$/i
      const invented = response.headers.map(([name]) => name).filter((name) => !own.test(name))
      return invented.join(', ') || 'none invented'
    },
    expect: 'none invented',
  },
  {
    id: 'date-and-server-added',
    section,
    level: 'must',
    rule:
      'The server adds headers that HTTP requires and the application omitted: Date, ' + 'Server.',
    run: async (probe) => {
      const response = await probe.ask('counted')
      const date = Number.isNaN(Date.parse(response.header('Date') ?? '')) ? 'no Date' : 'Date'
      return `${date}, ${response.header('Server') ? 'Server' : 'no Server'}`
    },
    expect: 'Date, Server',
  },
  {
    id: 'date-and-server-given',
    section,
    level: 'must',
    rule:
      'The server does not add Date or Server if the application sets them, in whatever ' + 'case.',
    run: async (probe) => {
      const response = await probe.ask('own_date_and_server')
      const dates = response
        .all('Date')
        .map((date) => (date.includes('1994') ? 'the given' : 'another'))
      return `Date: ${dates}, Server: ${response.all('Server')}`
    },
    expect: 'Date: the given, Server: the-case/1',
    gunicorn: {
      sees: 'Date: another, Server: gunicorn',
      weAre: 'conforms',
      why:
        'The PEP gives the application complete control over its output; gunicorn replaces ' +
        'both headers.',
    },
  },
  refusing('status-int', 'must', "(200, [('X-A', 'b')])", 'The status is a str, not a number.'),
  refusing(
    'status-bytes',
    'must',
    "(b'200 OK', [('X-A', 'b')])",
    'The status is a str, not bytes.',
  ),
  refusing('status-no-code', 'must', "('OK', [('X-A', 'b')])", 'The status begins with a code.'),
  refusing(
    'status-no-space',
    'must',
    "('200OK', [('X-A', 'b')])",
    'A space separates the code from the reason.',
  ),
  refusing('status-two-digits', 'must', "('99 Low', [('X-A', 'b')])", 'The code has three digits.'),
  refusing(
    'status-four-digits',
    'must',
    "('2000 High', [('X-A', 'b')])",
    'The code has three digits, not four.',
  ),
  refusing(
    'status-leading-space',
    'must',
    "(' 200 OK', [('X-A', 'b')])",
    'The status has no leading space.',
  ),
  ...unlessStrict(
    refusing(
      'status-trailing-space',
      'must',
      "('200 OK ', [('X-A', 'b')])",
      'The status has no trailing space.',
      {
        gunicorn: {
          sees: 'accepted, 200 OK : "started"',
          weAre: 'stricter',
          why: 'The PEP forbids surrounding whitespace.',
        },
      },
    ),
    {
      rule: 'Without strict, white space around the reason is removed.',
      expect: 'accepted, 200 OK: "started"',
      gunicorn: {
        sees: 'accepted, 200 OK : "started"',
        weAre: 'choice',
        why: 'Gunicorn sends the status unchanged.',
      },
    },
  ),
  {
    id: 'status-empty-reason',
    section,
    level: 'may',
    rule: 'The reason may be empty, but the space before it is required (RFC 9112 §4).',
    run: (probe) => call(probe, "('299 ', [('X-A', 'b')])"),
    expect: 'accepted, 299 : "started"',
  },
  ...unlessStrict(
    refusing(
      'status-no-reason',
      'must',
      "('200', [('X-A', 'b')])",
      'The status is a code and a reason, separated by a space.',
      {
        gunicorn: {
          sees: 'malformed answer: not a status line: "HTTP/1.1 200"',
          weAre: 'stricter',
          why:
            'RFC 9112 §4 requires the space after the code even if no reason follows; gunicorn ' +
            'sends a line without it.',
        },
      },
    ),
    {
      rule: 'Without strict, a status without a reason is sent with an empty reason.',
      expect: 'accepted, 200 : "started"',
      gunicorn: {
        sees: 'malformed answer: not a status line: "HTTP/1.1 200"',
        weAre: 'conforms',
        why: 'RFC 9112 §4 requires the space after the code even if no reason follows.',
      },
    },
  ),
  refusing(
    'status-line-end',
    'must',
    "('200 OK\\r\\n', [('X-A', 'b')])",
    'The status does not end in CR LF.',
  ),
  refusing(
    'status-injection',
    'must',
    "('200 OK\\r\\nInjected: a', [('X-A', 'b')])",
    'The status contains no control characters.',
  ),
  refusing(
    'status-control',
    'must',
    "('200 O\\x00K', [('X-A', 'b')])",
    'The status contains no NUL.',
  ),
  refusing(
    'status-non-latin-1',
    'must',
    "('200 \\u2603', [('X-A', 'b')])",
    'The status contains only latin-1 characters.',
    { section: 'Unicode Issues' },
  ),
  refusing(
    'status-informational',
    'should',
    "('101 Switching Protocols', [('X-A', 'b')])",
    'A 1xx status is not a final response (RFC 9110 §15.2).',
    {
      section: 'Other HTTP Features',
      gunicorn: {
        sees: 'accepted, 101 Switching Protocols: ""',
        weAre: 'stricter',
        why: 'After a 1xx response, a client keeps waiting for the final one.',
      },
    },
  ),
  ...unlessStrict(
    refusing(
      'headers-tuple',
      'must',
      "('200 OK', (('X-A', 'b'),))",
      'The headers are a list, not a tuple.',
      {
        gunicorn: {
          sees: 'accepted, 200 OK: "started"',
          weAre: 'stricter',
          why:
            'The PEP requires type(response_headers) to be ListType; middleware appends ' +
            'to it.',
        },
        typescript: {
          sees: 'accepted, 200 OK: "started"',
          because: 'language',
          why: 'JavaScript has no tuples: the counterpart of a tuple is an array, too.',
        },
      },
    ),
    {
      rule: 'Without strict, any iterable of pairs is accepted.',
      expect: 'accepted, 200 OK: "started"',
    },
  ),
  refusing(
    'headers-dict',
    'must',
    "('200 OK', {'X-A': 'b'})",
    'The headers are a list, not a dict.',
  ),
  refusing('headers-none', 'must', "('200 OK', None)", 'The headers are a list, not None.'),
  ...unlessStrict(
    refusing(
      'headers-pair-list',
      'must',
      "('200 OK', [['X-A', 'b']])",
      'Each header is a tuple, not a list.',
      {
        gunicorn: {
          sees: 'accepted, 200 OK: "started"',
          weAre: 'stricter',
          why: 'The PEP requires a list of tuples.',
        },
        typescript: {
          sees: 'accepted, 200 OK: "started"',
          because: 'language',
          why: 'JavaScript has no tuples: the counterpart of a tuple is an array, too.',
        },
      },
    ),
    {
      rule: 'Without strict, a list of two items is accepted as a pair.',
      expect: 'accepted, 200 OK: "started"',
    },
  ),
  refusing(
    'headers-pair-str',
    'must',
    "('200 OK', ['ab'])",
    'Each header is a tuple, not a str of two characters.',
    {
      gunicorn: {
        sees: 'accepted, 200 OK: "started"',
        weAre: 'stricter',
        why: 'Gunicorn takes a str of two characters for a name and a value.',
      },
    },
  ),
  refusing(
    'headers-triple',
    'must',
    "('200 OK', [('X-A', 'b', 'c')])",
    'Each header is a tuple of two items.',
  ),
  ...headerTable.map(([id, level, header, rule]) =>
    refusing(id, level, `('200 OK', [('X-A', 'b'), ${header}])`, rule),
  ),
  {
    id: 'header-value-tab',
    section,
    level: 'must',
    rule: 'A horizontal tab is a control character too, but RFC 9110 §5.5 allows it in a value.',
    run: (probe) => call(probe, "('200 OK', [('X-Name', 'a\\tb')])"),
    expect: 'accepted, 200 OK: "started"',
  },
  refusing(
    'header-value-non-latin-1',
    'must',
    "('200 OK', [('X-Name', 'price in \\u20ac')])",
    'A header value contains only latin-1 characters.',
    { section: 'Unicode Issues' },
  ),
  refusing(
    'content-length-word',
    'must',
    "('200 OK', [('Content-Length', 'seven')])",
    'A Content-Length is a number.',
    { section: 'Handling the Content-Length Header' },
  ),
  refusing(
    'content-length-sign',
    'must',
    "('200 OK', [('Content-Length', '+7')])",
    'A Content-Length consists of digits only, without a sign.',
    {
      section: 'Handling the Content-Length Header',
      gunicorn: {
        sees: 'malformed answer: Content-Length: +7',
        weAre: 'conforms',
        why: 'Gunicorn accepts whatever int() accepts and sends it unchanged.',
      },
    },
  ),
  refusing(
    'content-length-negative',
    'must',
    "('200 OK', [('Content-Length', '-7')])",
    'A Content-Length is not negative.',
    {
      section: 'Handling the Content-Length Header',
      gunicorn: {
        sees: 'malformed answer: Content-Length: -7',
        weAre: 'conforms',
        why: 'Gunicorn accepts whatever int() accepts and sends it unchanged.',
      },
    },
  ),
  refusing(
    'content-length-twice',
    'must',
    "('200 OK', [('Content-Length', '7'), ('content-length', '8')])",
    'There is only one Content-Length.',
    {
      section: 'Handling the Content-Length Header',
      gunicorn: {
        sees: 'malformed answer: 2 Content-Length headers',
        weAre: 'conforms',
        why:
          'Two different lengths in one response make response splitting possible (RFC 9112 ' +
          '§6.3).',
      },
    },
  ),
  ...unlessStrict(
    refusing(
      'content-length-repeated',
      'must',
      "('200 OK', [('Content-Length', '7'), ('content-length', '7')])",
      'Content-Length is not repeated, not even with the same number.',
      {
        section: 'Handling the Content-Length Header',
        gunicorn: {
          sees: 'malformed answer: 2 Content-Length headers',
          weAre: 'conforms',
          why: 'Gunicorn sends both.',
        },
      },
    ),
    {
      rule: 'Without strict, a repeated Content-Length is sent once.',
      expect: 'accepted, 200 OK: "started"',
      gunicorn: {
        sees: 'malformed answer: 2 Content-Length headers',
        weAre: 'conforms',
        why: 'Gunicorn sends both.',
      },
    },
  ),
  ...unlessStrict(
    refusing(
      'hop-by-hop-transfer-encoding',
      'should',
      "('200 OK', [('tRaNsFeR-eNcOdInG', 'chunked')])",
      'Transfer-Encoding is reserved for the server; setting it in the application is an ' +
        'error.',
      {
        gunicorn: {
          sees: 'accepted, 200 OK: "started"',
          weAre: 'stricter',
          why:
            'Gunicorn silently omits the header; the PEP says that the server should raise an ' +
            'error.',
        },
      },
    ),
    {
      rule: 'Without strict, the header is omitted and a warning is logged.',
      expect: 'accepted, 200 OK: "started"',
    },
  ),
  ...unlessStrict(
    refusing(
      'hop-by-hop-connection',
      'should',
      "('200 OK', [('Connection', 'close')])",
      'Setting Connection in the application is an error.',
      {
        gunicorn: {
          sees: 'accepted, 200 OK: "started"',
          weAre: 'stricter',
          why:
            'Gunicorn silently omits the header; the PEP says that the server should raise an ' +
            'error.',
        },
      },
    ),
    {
      rule: 'Without strict, the header is omitted and a warning is logged.',
      expect: 'accepted, 200 OK: "started"',
    },
  ),
  ...[
    'Keep-Alive',
    'Proxy-Authenticate',
    'Proxy-Authorization',
    'TE',
    'Trailers',
    'Upgrade',
  ].flatMap((name) =>
    unlessStrict(
      refusing(
        `hop-by-hop-${name.toLowerCase()}`,
        'should',
        `('200 OK', [('${name}', 'x')])`,
        `Setting ${name} in the application is an error.`,
        {
          gunicorn: {
            sees: 'accepted, 200 OK: "started"',
            weAre: 'stricter',
            why:
              'Gunicorn silently omits the header; the PEP says that the server should raise an ' +
              'error.',
          },
        },
      ),
      {
        rule: 'Without strict, the header is omitted and a warning is logged.',
        expect: 'accepted, 200 OK: "started"',
      },
    ),
  ),
  {
    id: 'error-in-call',
    section: 'Error Handling',
    level: 'should',
    rule:
      'An exception in the application is caught, logged with its traceback and answered ' +
      'with 500.',
    run: async (probe) => {
      const response = await probe.ask('raises')
      return (
        `${summary(response)}, ` +
        `${await probe.logged(`CaseError: raised in the call ${probe.token}`)}`
      )
    },
    expect: '500, logged',
  },
  {
    id: 'error-after-start',
    section: 'Error Handling',
    level: 'should',
    rule:
      'If the application raises after start_response, its status and headers are not ' + 'sent.',
    run: async (probe) => {
      const response = await probe.ask('raises_after_start')
      const started = response.header('X-Started') ? ', with headers of the application' : ''
      return (
        `${summary(response)}${started}, ` +
        `${await probe.logged(`raised after start_response ${probe.token}`)}`
      )
    },
    expect: '500, logged',
  },
  {
    id: 'error-system-exit',
    section: 'Error Handling',
    level: 'should',
    rule: 'sys.exit() in an application is caught too, and the next request is served.',
    run: async (probe) => {
      const response = await probe.ask('raises_system_exit')
      const next = await probe.ask('counted')
      return `${summary(response)}, then ${summary(next)}`
    },
    expect: '500, then 200 OK: "counted"',
    typescript: {
      sees: 'no answer, then 200 OK: "counted"',
      because: 'language',
      why:
        'process.exit() does not raise an error: it ends the process, and the arbiter ' +
        'starts a new one.',
      run: async (probe) => {
        const ended = await outcome(probe.ask('raises_system_exit').then(summary))
        return `${ended}, then ${summary(await probe.ask('counted'))}`
      },
    },
  },
  {
    id: 'error-in-first-iteration',
    section: 'Error Handling',
    level: 'should',
    rule:
      'If the iterable raises before its first chunk, the client gets 500; the error is ' +
      'logged and the iterable closed.',
    run: async (probe) => {
      const response = await probe.ask('raises_in_first_iteration')
      const logged = await probe.logged(`raised in the first iteration ${probe.token}`)
      return `${summary(response)}, ${logged}, ${await probe.closes()}`
    },
    expect: '500, logged, closed once',
  },
  {
    id: 'error-in-later-iteration',
    section: 'Error Handling',
    level: 'must',
    rule:
      'If it raises later, the response is aborted so that the client does not mistake it ' +
      'for complete; the error is logged and the iterable closed.',
    run: async (probe) => {
      const seen = await breakOff(probe, 'raises_in_later_iteration')
      const logged = await probe.logged(`raised in a later iteration ${probe.token}`)
      return `${seen}, ${logged}, ${await probe.closes()}`
    },
    expect: '200, "part", broken off, logged, closed once',
  },
  {
    id: 'error-in-later-iteration-length',
    section: 'Error Handling',
    level: 'must',
    rule: 'With a Content-Length, the connection is closed before that many bytes are sent.',
    on: threads,
    run: (probe) => breakOff(probe, 'raises_in_later_iteration', [['X-Length', '1']]),
    expect: '200, "part", broken off',
  },
  {
    id: 'error-after-write',
    section: 'Error Handling',
    level: 'must',
    rule: 'The response is also aborted if part of the body was sent with write().',
    run: async (probe) => {
      const seen = await breakOff(probe, 'writes_and_raises')
      return `${seen}, ${await probe.logged(`raised after write ${probe.token}`)}`
    },
    expect: '200, "part", broken off, logged',
  },
]
