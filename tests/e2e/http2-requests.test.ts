import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import {
  block,
  DATA,
  END_HEADERS,
  END_STREAM,
  type Fields,
  frame,
  HEADERS,
  headers,
  literal,
  RawHttp2,
  request,
} from '../support/http2-frames.ts'
import { limitCases } from '../support/limit-cases.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// Requests of HTTP/2 that another recipient could read as another request, and limits, with frames
// written by hand. What is refused must not reach an environ.

/** Says which requests it has seen, and what of their fields is about framing. */
const APPLICATION = `
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    print("seen", environ.get("HTTP_X_CASE"), environ["SERVER_PROTOCOL"], flush=True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    names = [name for name in environ if name.startswith(("HTTP_", "CONTENT_"))]
    text = " ".join(f"{name}={environ[name]}" for name in sorted(names) if name != "HTTP_X_CASE")
    return [f"{environ['PATH_INFO']} {len(body)} {text}".encode("latin-1")]
`

/** The fields of a request, one of which is replaced. */
function withPseudo(name: string, value: string): Fields {
  return request().map((field) => (field[0] === name ? [name, value] : field))
}

const without = (name: string) => request().filter((field) => field[0] !== name)
const PROTOCOL_ERROR = 'reset 1'
/** nghttp2 drops the field, and the rest of the request is served. */
const DROPPED = 'dropped'

/** A request, and how it is refused: a status, or the error of the stream or the connection. */
const refused: readonly (readonly [name: string, fields: Fields, how: string])[] = [
  ['transfer-encoding', request('/', [['transfer-encoding', 'chunked']], 'POST'), PROTOCOL_ERROR],
  ['connection', request('/', [['connection', 'close']]), PROTOCOL_ERROR],
  ['keep-alive', request('/', [['keep-alive', 'timeout=5']]), PROTOCOL_ERROR],
  ['proxy-connection', request('/', [['proxy-connection', 'close']]), PROTOCOL_ERROR],
  ['upgrade', request('/', [['upgrade', 'h2c']]), PROTOCOL_ERROR],
  ['te other than trailers', request('/', [['te', 'chunked']]), PROTOCOL_ERROR],
  ['CR LF in a value', request('/', [['x', 'a\r\nHost: b']]), DROPPED],
  ['LF in a value', request('/', [['x', 'a\nb']]), DROPPED],
  ['CR in a value', request('/', [['x', 'a\rb']]), DROPPED],
  ['NUL in a value', request('/', [['x', 'a\0b']]), DROPPED],
  ['DEL in a value', request('/', [['x', 'a\x7fb']]), DROPPED],
  ['white space before a value', request('/', [['x', ' a']]), DROPPED],
  ['white space after a value', request('/', [['x', 'a ']]), DROPPED],
  ['a name in upper case', request('/', [['X-Upper', 'a']]), PROTOCOL_ERROR],
  ['a name with a colon', request('/', [['x:y', 'a']]), DROPPED],
  ['a name with a space', request('/', [['x y', 'a']]), DROPPED],
  ['a name with CR LF', request('/', [['x\r\nhost', 'a']]), DROPPED],
  ['an empty name', request('/', [['', 'a']]), DROPPED],
  [
    'a pseudo-header field after others',
    [...request(), ['x', 'a'], [':path', '/b']],
    PROTOCOL_ERROR,
  ],
  ['two :path', [...request(), [':path', '/b']], PROTOCOL_ERROR],
  ['two :method', [[':method', 'GET'], ...request()], PROTOCOL_ERROR],
  ['two :authority', [[':authority', 'b.example'], ...request()], PROTOCOL_ERROR],
  ['an unknown pseudo-header field', [[':forged', 'a'], ...request()], PROTOCOL_ERROR],
  ['a :status', [[':status', '200'], ...request()], PROTOCOL_ERROR],
  ['no :path', without(':path'), PROTOCOL_ERROR],
  ['no :method', without(':method'), PROTOCOL_ERROR],
  ['no :scheme', without(':scheme'), PROTOCOL_ERROR],
  ['an empty :path', withPseudo(':path', ''), PROTOCOL_ERROR],
  ['a :path without a slash', withPseudo(':path', 'a'), PROTOCOL_ERROR],
  ['a :path that is a URL', withPseudo(':path', 'http://b.example/'), PROTOCOL_ERROR],
  ['a :path with a space', withPseudo(':path', '/a b'), PROTOCOL_ERROR],
  ['a :path with CR LF', withPseudo(':path', '/a HTTP/1.1\r\nHost: b\r\n\r\n'), PROTOCOL_ERROR],
  ['a :path with NUL', withPseudo(':path', '/a\0b'), PROTOCOL_ERROR],
  ['a :method that is no token', withPseudo(':method', 'GET /b HTTP/1.1'), PROTOCOL_ERROR],
  ['a :scheme that is none', withPseudo(':scheme', 'http\r\nx'), PROTOCOL_ERROR],
  ['a :authority with user information', withPseudo(':authority', 'a@b.example'), '400'],
  ['a :authority with a path', withPseudo(':authority', 'a.example/b'), PROTOCOL_ERROR],
  ['a :authority with CR LF', withPseudo(':authority', 'a\r\nx: y'), PROTOCOL_ERROR],
  ['a host that is another', request('/', [['host', 'b.example']]), '400'],
  [
    'two hosts',
    request('/', [
      ['host', 'case.example'],
      ['host', 'case.example'],
    ]),
    PROTOCOL_ERROR,
  ],
  [
    'two lengths',
    request(
      '/',
      [
        ['content-length', '1'],
        ['content-length', '1'],
      ],
      'POST',
    ),
    PROTOCOL_ERROR,
  ],
  ['a length with a sign', request('/', [['content-length', '+1']], 'POST'), PROTOCOL_ERROR],
  ['a length that is a list', request('/', [['content-length', '1, 1']], 'POST'), PROTOCOL_ERROR],
  [
    'a name with an underscore that forges',
    request('/', [['content_length', '1']], 'POST'),
    DROPPED,
  ],
  [
    'CONNECT',
    [
      [':method', 'CONNECT'],
      [':authority', 'a.example:80'],
    ],
    '405',
  ],
  [
    'RFC 8441',
    [[':method', 'CONNECT'], [':protocol', 'websocket'], ...request().slice(1)],
    PROTOCOL_ERROR,
  ],
  ...limitCases.map(
    ({ name, target, fields, status }) => [name, request(target, fields), `${status}`] as const,
  ),
]

describe.skipIf(!hasPython())('requests of HTTP/2', () => {
  const folder = temporaryDirectory()
  let server: RunningServer
  beforeAll(async () => {
    writeFileSync(join(folder.path, 'seen.py'), APPLICATION)
    server = await startServer({
      app: 'seen:app',
      args: ['--workers', '1', '--h2c', '--log-level', 'debug', '--limit-request-body', '1000'],
      cwd: folder.path,
    })
  })
  afterAll(folder.remove)

  /** How the request on stream 1 was dealt with. */
  async function fate(connection: RawHttp2): Promise<string> {
    const seen = () => {
      const status = connection.statusOf(1)
      if (status !== null) return String(status)
      const reset = connection.resetOf(1)
      if (reset !== null) return `reset ${reset}`
      return connection.goaway === null ? null : `goaway ${connection.goaway}`
    }
    return await waitFor('an answer', () => seen() ?? (connection.ended ? 'ended' : null))
  }

  test.each(refused)('%s: nothing of it reaches an application', async (name, fields, how) => {
    const connection = await RawHttp2.open(server)
    const all: Fields = [...fields, ['x-case', name.replaceAll(' ', '-')]]
    connection.send(headers(1, all))
    const isDropped = how === DROPPED
    expect(await fate(connection)).toBe(isDropped ? '200' : how)
    if (isDropped) {
      await connection.frame(DATA, 1)
      expect(connection.body(1).toString()).toBe('/ 0 HTTP_HOST=case.example')
    }
    // The other streams of the connection go on.
    connection.send(headers(3, request('/after', [['x-case', 'after']])))
    await connection.frame(DATA, 3)
    expect(connection.body(3).toString()).toMatch(/^\/after 0 /)
    if (!isDropped) expect(server.log()).not.toContain(`seen ${name.replaceAll(' ', '-')} `)
    connection.close()
  })

  test.each([
    ['shorter', 'abc', '5'],
    ['longer', 'abcdefgh', '5'],
  ])('a body that is %s than declared is refused', async (name, body, length) => {
    const connection = await RawHttp2.open(server)
    const fields = request(
      '/',
      [
        ['content-length', length],
        ['x-case', `body-${name}`],
      ],
      'POST',
    )
    connection.send(headers(1, fields, END_HEADERS), frame(DATA, END_STREAM, 1, Buffer.from(body)))
    expect(await fate(connection)).toBe(PROTOCOL_ERROR)
    expect(server.log()).not.toContain(`seen body-${name} `)
    connection.close()
  })

  test('a body over the limit is answered 413', async () => {
    const connection = await RawHttp2.open(server)
    const fields = request('/', [['x-case', 'large']], 'POST')
    connection.send(headers(1, fields, END_HEADERS), frame(DATA, 0, 1, Buffer.alloc(1001)))
    expect(await fate(connection)).toBe('413')
    expect(server.log()).not.toContain('seen large ')
    connection.close()
  })

  test('trailers are dropped, parts of a cookie are joined, and te: trailers may be', async () => {
    const connection = await RawHttp2.open(server)
    const more: Fields = [
      ['te', 'trailers'],
      ['cookie', 'a=1'],
      ['cookie', 'b=2'],
    ]
    connection.send(
      headers(1, request('/ok', more, 'POST'), END_HEADERS),
      frame(DATA, 0, 1, Buffer.from('abc')),
      headers(1, [['x-trailer', 'forged']]),
    )
    await connection.frame(DATA, 1)
    expect(connection.body(1).toString()).toBe(
      '/ok 3 CONTENT_LENGTH=3 HTTP_COOKIE=a=1; b=2 HTTP_HOST=case.example HTTP_TE=trailers',
    )
    connection.close()
  })

  test('a host without :authority is the host', async () => {
    const connection = await RawHttp2.open(server)
    connection.send(headers(1, [...without(':authority'), ['host', 'b.example']]))
    await connection.frame(DATA, 1)
    expect(connection.body(1).toString()).toBe('/ 0 HTTP_HOST=b.example')
    connection.close()
  })

  test('half a preface is nothing, and another version is answered as HTTP/1.1', async () => {
    const silent = await RawHttp2.open(server, { silent: true })
    silent.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nS'))
    silent.socket.end()
    expect(await silent.end()).toBeNull()
    const other = await RawConnection.open(server)
    const response = await other.request('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')
    expect([400, 505]).toContain(response.status)
  })

  test('a frame that is larger than allowed ends the connection', async () => {
    const connection = await RawHttp2.open(server)
    connection.send(
      frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        1,
        Buffer.concat([block(request()), literal('x', 'a'.repeat(20_000))]),
      ),
    )
    expect(await fate(connection)).toMatch(/goaway|ended/)
    connection.close()
  })
})
