import fc from 'fast-check'

/** Bytes of one connection, in latin-1: some requests, most of them mutated. */
export function connections(): fc.Arbitrary<string> {
  const valid = fc.array(validRequest(), { minLength: 1, maxLength: 3 }).map((all) => all.join(''))
  const any = fc.array(anyRequest(), { minLength: 1, maxLength: 3 })
  return fc.oneof({ weight: 1, arbitrary: valid }, { weight: 8, arbitrary: mutated(any) })
}

const TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

function token(maxLength: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...TOKEN), minLength: 1, maxLength })
}

function textOf(first: number, last: number, maxLength: number): fc.Arbitrary<string> {
  const unit = fc.integer({ min: first, max: last }).map((byte) => String.fromCharCode(byte))
  return fc.string({ unit, maxLength })
}

function method(): fc.Arbitrary<string> {
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        'GET',
        'POST',
        'PUT',
        'HEAD',
        'OPTIONS',
        'DELETE',
        'QUERY',
        'M-SEARCH',
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom('CONNECT', 'PRI', 'get', 'SOURCE', 'DESCRIBE') },
    { weight: 1, arbitrary: token(8) },
  )
}

function host(): fc.Arbitrary<string> {
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom('a', 'a.example', 'a.example:8000', '[::1]:80', '127.0.0.1', 'a:'),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '',
        ':80',
        'u@a',
        'a,b',
        'a b',
        '[::1',
        'a%20b',
        "!$&'()*+,;=-._~",
        'a|b',
        'a\xe9',
      ),
    },
  )
}

function target(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: textOf(0x21, 0x7e, 20).map((text) => `/${text}`) },
    { weight: 1, arbitrary: fc.constant('*') },
    {
      weight: 2,
      arbitrary: fc
        .tuple(
          fc.constantFrom('http', 'https', 'HTTP', 'ftp', 'ws'),
          host(),
          textOf(0x21, 0x7e, 10),
          fc.boolean(),
        )
        .map(([scheme, host, rest, slash]) => `${scheme}://${host}${slash ? '/' : ''}${rest}`),
    },
    { weight: 1, arbitrary: host() },
    { weight: 1, arbitrary: textOf(0x20, 0xff, 8) },
    { weight: 1, arbitrary: textOf(0x7e, 0xff, 8).map((text) => `/${text}`) },
  )
}

function version(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0') },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        'HTTP/0.9',
        'HTTP/2.0',
        'HTTP/1.2',
        'HTTP/1.9',
        'http/1.1',
        'RTSP/1.0',
        'ICE/1.0',
      ),
    },
  )
}

function value(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: textOf(0x20, 0x7e, 20) },
    { weight: 1, arbitrary: textOf(0x20, 0xff, 20) },
    { weight: 1, arbitrary: textOf(0, 0xff, 4) },
  )
}

const space = (): fc.Arbitrary<string> => fc.constantFrom(' ', ' ', ' ', '', '\t', '  ', ' \t ')

/** A field line, with the fields that matter to framing and persistence more often than others. */
function field(): fc.Arbitrary<string> {
  const line = (name: fc.Arbitrary<string>, values: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc
      .tuple(name, space(), values, fc.constantFrom('', '', '', ' ', '\t'))
      .map(([name, before, value, after]) => `${name}:${before}${value}${after}\r\n`)
  return fc.oneof(
    { weight: 4, arbitrary: line(token(12), value()) },
    {
      weight: 1,
      arbitrary: line(
        fc.constantFrom('Content-Length', 'content-length', 'Content_Length'),
        length(),
      ),
    },
    {
      weight: 1,
      arbitrary: line(fc.constantFrom('Transfer-Encoding', 'TRANSFER-ENCODING'), coding()),
    },
    { weight: 1, arbitrary: line(fc.constantFrom('Host', 'hOST'), host()) },
    {
      weight: 2,
      arbitrary: line(
        fc.constantFrom('Connection', 'connection', 'Proxy-Connection'),
        fc
          .array(
            fc.constantFrom(
              'close',
              'keep-alive',
              'Upgrade',
              'upgrade',
              'CLOSE',
              'x',
              'closed',
              '',
              'close x',
              'te',
            ),
            { minLength: 1, maxLength: 3 },
          )
          .chain((options) =>
            fc.constantFrom(',', ', ', ' ,\t', ' ').map((comma) => options.join(comma)),
          ),
      ),
    },
    { weight: 1, arbitrary: line(fc.constant('Upgrade'), fc.constantFrom('websocket', 'h2c', '')) },
    {
      weight: 1,
      arbitrary: line(
        fc.constant('Expect'),
        fc.constantFrom('100-continue', '100-Continue', 'x', ''),
      ),
    },
  )
}

function length(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.nat(40).map(String),
    fc.constantFrom(
      '+3',
      '-3',
      '3,3',
      '3, 3',
      '3 3',
      '0x3',
      '',
      '03',
      '3\t',
      '\xb3',
      '9007199254740993',
      '18446744073709551619',
    ),
  )
}

function coding(): fc.Arbitrary<string> {
  return fc.constantFrom(
    'chunked',
    'Chunked',
    'chunked ',
    'chunked\t',
    'chunked,',
    ',chunked',
    'chunked, chunked',
    'gzip, chunked',
    'chunked, gzip',
    'identity',
    'xchunked',
    'chunkedx',
    'chunked;q=1',
    '\x0bchunked',
    '',
  )
}

/** Bytes of a body, some of them looking like a request or like chunks. */
function data(): fc.Arbitrary<string> {
  return fc.oneof(
    textOf(0, 0xff, 20),
    fc.constantFrom(
      'GET /in-the-body HTTP/1.1\r\nHost: a\r\n\r\n',
      '0\r\n\r\n',
      '\r\n',
      '5\r\nhello\r\n0\r\n\r\n',
    ),
  )
}

function extension(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 10, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: token(4).map((name) => `;${name}`) },
    {
      weight: 1,
      arbitrary: fc.tuple(token(4), token(4)).map(([name, value]) => `;${name}=${value}`),
    },
    { weight: 1, arbitrary: textOf(0x20, 0xff, 6).map((text) => `;a="${text}"`) },
    { weight: 1, arbitrary: spacedExtension() },
    { weight: 1, arbitrary: fc.constantFrom(';', ';;', ' ;a', '; a', ';a ', ';a=', ';="x"', '\t') },
  )
}

/** With white space wherever the grammar has it, and somewhere it has none. */
function spacedExtension(): fc.Arbitrary<string> {
  const spaces = fc.constantFrom('', ' ', '\t', ' \t', '  ')
  const value = fc.oneof(
    token(4),
    textOf(0x20, 0x7e, 4).map((text) => `"${text.replace(/["\\]/g, '')}"`),
  )
  const one = fc
    .tuple(spaces, spaces, token(4), spaces, spaces, value, fc.boolean())
    .map(
      ([a, b, name, c, d, value, valued]) => `${a};${b}${name}${valued ? `${c}=${d}${value}` : ''}`,
    )
  return fc
    .tuple(fc.array(one, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '', '', '', ' '))
    .map(([all, after]) => all.join('') + after)
}

function chunked(): fc.Arbitrary<string> {
  const chunk = fc
    .tuple(data(), extension(), fc.constantFrom('', '', '', '0', '000'))
    .map(([data, extension, zeros]) =>
      data === '' ? '' : `${zeros}${data.length.toString(16)}${extension}\r\n${data}\r\n`,
    )
  const trailers = fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    { weight: 1, arbitrary: fc.array(field(), { maxLength: 2 }).map((lines) => lines.join('')) },
  )
  return fc
    .tuple(fc.array(chunk, { maxLength: 3 }), extension(), trailers)
    .map(([chunks, extension, trailers]) => `${chunks.join('')}0${extension}\r\n${trailers}\r\n`)
}

/** A request that both parsers must accept. */
function validRequest(): fc.Arbitrary<string> {
  const plain = fc.tuple(
    token(10).map((name) => `X-${name}`),
    textOf(0x21, 0x7e, 20),
  )
  const body = fc.oneof(
    data().map((data) => `Content-Length: ${data.length}\r\n\r\n${data}`),
    fc
      .array(data(), { maxLength: 3 })
      .map((all) => all.filter((data) => data !== ''))
      .map((all) => all.map((data) => `${data.length.toString(16)}\r\n${data}\r\n`).join(''))
      .map((chunks) => `Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`),
    fc.constant('\r\n'),
  )
  return fc
    .tuple(
      fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'QUERY'),
      textOf(0x21, 0x7e, 20).map((text) => `/${text.replaceAll('#', '')}`),
      fc.array(plain, { maxLength: 4 }),
      body,
    )
    .map(([method, target, fields, body]) => {
      const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
      return `${method} ${target} HTTP/1.1\r\nHost: a\r\n${lines}${body}`
    })
}

function anyRequest(): fc.Arbitrary<string> {
  const body = fc.oneof(
    { weight: 2, arbitrary: fc.constant('\r\n') },
    { weight: 3, arbitrary: data().map((data) => `Content-Length: ${data.length}\r\n\r\n${data}`) },
    {
      weight: 3,
      arbitrary: chunked().map((chunks) => `Transfer-Encoding: chunked\r\n\r\n${chunks}`),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.array(field(), { maxLength: 2 }), data())
        .map(([f, d]) => `${f.join('')}\r\n${d}`),
    },
  )
  const strange = fc
    .tuple(
      method(),
      target(),
      version(),
      fc.boolean(),
      host(),
      fc.array(field(), { maxLength: 4 }),
      body,
    )
    .map(
      ([method, target, version, hosted, host, fields, body]) =>
        `${method} ${target} ${version}\r\n` +
        `${hosted ? `Host: ${host}\r\n` : 'Host: a\r\n'}${fields.join('')}${body}`,
    )
  return fc.oneof({ weight: 2, arbitrary: validRequest() }, { weight: 3, arbitrary: strange })
}

/** What mutations put into a message. */
const SNIPPETS = [
  '\r',
  '\n',
  '\r\n',
  '\n\r',
  '\0',
  ' ',
  '\t',
  '\x0b',
  '\x0c',
  '+',
  '-',
  ',',
  ';',
  ':',
  '=',
  '"',
  '\\',
  '#',
  '%',
  '?',
  '@',
  '/',
  '[',
  '_',
  '0',
  '1',
  'f',
  '\x7f',
  '\x80',
  '\x85',
  '\xa0',
  '\xff',
  '0x',
  '\r\n ',
  '\r\n\t',
  '\r\n\r\n',
  '\r\r\n',
  'Content-Length: 3\r\n',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: x\r\n',
  'Host: b\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive\r\n',
  ' HTTP/1.1',
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  '0\r\n\r\n',
]

type Mutation = { kind: number; at: number; other: number; snippet: string; bit: number }

function mutated(requests: fc.Arbitrary<string[]>): fc.Arbitrary<string> {
  const mutation: fc.Arbitrary<Mutation> = fc.record({
    kind: fc.nat(7),
    at: fc.nat(65535),
    other: fc.nat(65535),
    snippet: fc.constantFrom(...SNIPPETS),
    bit: fc.nat(7),
  })
  return fc
    .tuple(requests, fc.array(mutation, { maxLength: 3 }))
    .map(([all, mutations]) => mutations.reduce(mutate, all.join('')))
}

function mutate(text: string, { kind, at, other, snippet, bit }: Mutation): string {
  if (text === '') return snippet
  const place = at % text.length
  const put = (start: number, end: number, between: string): string =>
    text.slice(0, start) + between + text.slice(end)
  switch (kind) {
    case 0:
      return put(place, place + 1, String.fromCharCode(text.charCodeAt(place) ^ (1 << bit)))
    case 1:
    case 2:
      return put(place, place, snippet)
    case 3:
      return put(place, place + 1, snippet)
    case 4:
      return put(place, place + 1, '')
    case 5: {
      // A line once more, somewhere else.
      const lines = text.split('\r\n')
      const line = lines[at % lines.length]!
      lines.splice(other % (lines.length + 1), 0, line)
      return lines.join('\r\n')
    }
    case 6: {
      // A line break that is none, or a number that is another.
      const breaks = [...text.matchAll(/\r\n|[0-9]+/g)]
      const found = breaks[at % Math.max(breaks.length, 1)]
      if (found === undefined) return text
      const now = found[0] === '\r\n' ? (bit < 4 ? '\n' : '\r') : String(Number(found[0]) + bit - 3)
      return put(found.index, found.index + found[0].length, now)
    }
    default:
      return text.slice(0, place)
  }
}
