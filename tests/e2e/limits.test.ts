import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { limitCases } from '../support/limit-cases.ts'
import { get, type PlainServer, post, startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { sizeLimits, strictLimits, usualLimits } from '../support/size-limits.ts'
import { waitFor } from '../support/wait-for.ts'

// Each wrong request of the part B with its exact answer, over a real socket. The rules
// themselves are tested one by one beside the parser; here it is seen that each becomes this
// answer, a closed connection and one line in the error log.

const reasons: Record<number, string> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Payload Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  505: 'HTTP Version Not Supported',
}

/** The codes of refusals in the error log, which are MONO4028 for what the server does not do. */
const codes: Record<number, string> = {
  400: 'MONO4021',
  413: 'MONO4022',
  414: 'MONO4022',
  431: 'MONO4022',
}

describe.skipIf(!hasPython())('limits', () => {
  let server: PlainServer
  let strict: PlainServer
  beforeAll(async () => {
    // At level debug no entry is left out, however many refusals there are.
    const start = (args: string[]) => startPlain({ args: [...args, '--log-level', 'debug'] })
    ;[server, strict] = await Promise.all([start(usualLimits), start(strictLimits)])
  })
  afterAll(() => Promise.all([server?.stop(), strict?.stop()]))

  /**
   * Sends it and expects exactly this answer, the end of the connection, and one more line in the
   * error log.
   */
  async function expectRefusal(
    target: PlainServer,
    request: string | Buffer,
    status: number,
    reason?: RegExp,
  ) {
    const from = target.log().length
    const connection = await RawConnection.open(target)
    await connection.send(request)
    const response = await connection.readResponse()
    expect(response).toMatchObject({ version: '1.1', status, framing: 'length', complete: true })
    expect(response.reason).toBe(reasons[status])
    expect(response.text).toBe(`${status} ${reasons[status]}\n`)
    expect(response.header('Content-Type')).toMatch(/^text\/plain/)
    expect(response.header('Connection')).toBe('close')
    expect(response.header('Date')).toBeDefined()
    if (status === 405) expect(response.header('Allow')).toBeDefined()
    expect(await connection.expectEnd()).toBe('closed')
    await target.waitForLog(new RegExp(`${status}`), { from })
    const lines = target.log().slice(from).trim().split('\n')
    expect(lines).toHaveLength(1)
    if (reason) expect(lines[0]).toMatch(reason)
    expect(lines[0]).toContain(`[${codes[status] ?? 'MONO4028'}]`)
    // No control characters of the client's in our log.
    expect(lines[0]).not.toMatch(/[^\x20-\x7e\u0080-\uffff]/)
  }

  const request = (line: string, ...fields: string[]) => [line, ...fields, '', ''].join('\r\n')
  const host = 'Host: test'

  test.each<[string, number, string]>([
    ['a request line without a version', 400, request('GET /', host)],
    ['two spaces in the request line', 400, request('GET  / HTTP/1.1', host)],
    ['a tab in the request line', 400, request('GET\t/ HTTP/1.1', host)],
    ['a method that is no token', 400, request('G(T / HTTP/1.1', host)],
    ['a lower-case version name', 400, request('GET / http/1.1', host)],
    ['HTTP/2.0', 505, request('GET / HTTP/2.0', host)],
    ['HTTP/0.9', 505, request('GET / HTTP/0.9')],
    ['a target without its slash', 400, request('GET path HTTP/1.1', host)],
    ['a control character in the target', 400, request('GET /\x01 HTTP/1.1', host)],
    ['a DEL behind UTF-8 in the target', 400, request('GET /caf\xc3\xa9\x7f HTTP/1.1', host)],
    [
      'UTF-8 in the authority of the target',
      400,
      request('GET http://caf\xc3\xa9/ HTTP/1.1', host),
    ],
    ['a fragment in the target', 400, request('GET /#here HTTP/1.1', host)],
    ['the asterisk-form with GET', 400, request('GET * HTTP/1.1', host)],
    ['CONNECT', 405, request('CONNECT test:443 HTTP/1.1', 'Host: test:443')],
    ['an absolute-form of another scheme', 400, request('GET ftp://test/ HTTP/1.1', host)],
    ['user information in an absolute-form', 400, request('GET http://me@test/ HTTP/1.1', host)],
    ['no Host in 1.1', 400, request('GET / HTTP/1.1')],
    ['two Hosts', 400, request('GET / HTTP/1.1', host, host)],
    ['a Host that is none', 400, request('GET / HTTP/1.1', 'Host: a b')],
    ['a Host with user information', 400, request('GET / HTTP/1.1', 'Host: me@test')],
    ['a space before the colon', 400, request('GET / HTTP/1.1', 'Host : test')],
    ['a folded field', 400, request('GET / HTTP/1.1', host, 'X: a', ' b')],
    ['a bare LF', 400, 'GET / HTTP/1.1\nHost: test\n\n'],
    ['a bare CR in a field', 400, request('GET / HTTP/1.1', host, 'X: a\rb')],
    ['a NUL in a field', 400, request('GET / HTTP/1.1', host, 'X: a\0b')],
    ['a control character in a field', 400, request('GET / HTTP/1.1', host, 'X: a\x7fb')],
    ['a field name that is no token', 400, request('GET / HTTP/1.1', host, 'X(Y): a')],
    ['a field without a colon', 400, request('GET / HTTP/1.1', host, 'X')],
    ['an empty field name', 400, request('GET / HTTP/1.1', host, ': a')],
    [
      'two Content-Lengths',
      400,
      request('POST / HTTP/1.1', host, 'Content-Length: 1', 'Content-Length: 1'),
    ],
    [
      'two Content-Types',
      400,
      request('POST / HTTP/1.1', host, 'Content-Type: a/b', 'Content-Type: a/b'),
    ],
    ['a list of Content-Lengths', 400, request('POST / HTTP/1.1', host, 'Content-Length: 1, 1')],
    ['a signed Content-Length', 400, request('POST / HTTP/1.1', host, 'Content-Length: +1')],
    ['a negative Content-Length', 400, request('POST / HTTP/1.1', host, 'Content-Length: -1')],
    ['a hexadecimal Content-Length', 400, request('POST / HTTP/1.1', host, 'Content-Length: 0x1')],
    ['an empty Content-Length', 400, request('POST / HTTP/1.1', host, 'Content-Length:')],
    [
      'a Content-Length beyond counting',
      400,
      request('POST / HTTP/1.1', host, `Content-Length: 1${'0'.repeat(30)}`),
    ],
    [
      'Transfer-Encoding in 1.0',
      400,
      request('POST / HTTP/1.0', host, 'Transfer-Encoding: chunked'),
    ],
    [
      'Transfer-Encoding twice',
      400,
      request('POST / HTTP/1.1', host, 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
    ],
    ['chunked twice', 400, request('POST / HTTP/1.1', host, 'Transfer-Encoding: chunked, chunked')],
    [
      'gzip and chunked on two lines',
      501,
      request('POST / HTTP/1.1', host, 'Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'),
    ],
    [
      'both framings',
      400,
      request('POST / HTTP/1.1', host, 'Content-Length: 1', 'Transfer-Encoding: chunked'),
    ],
    ['an expectation that nobody knows', 417, request('GET / HTTP/1.1', host, 'Expect: miracles')],
    ['a TLS client', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['the preface of HTTP/2', 505, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s is answered %i', async (_, status, bytes) => {
    await expectRefusal(server, Buffer.from(bytes, 'latin1'), status)
  })

  test.each(sizeLimits)('$name', async (limit) => {
    const target = limit.strict ? strict : server
    expect((await exchangeOnce(target, limit.allowed)).status).toBe(limit.answer)
    await expectRefusal(target, limit.refused, limit.refusal)
  })

  test.each(limitCases)('$name is answered $status', async ({ status, target = '/', fields }) => {
    const lines = (fields ?? []).map(([name, value]) => `${name}: ${value}`)
    await expectRefusal(server, request(`GET ${target} HTTP/1.1`, host, ...lines), status)
  })

  test('a transfer coding other than chunked is refused', async () => {
    const bytes = request('POST / HTTP/1.1', host, 'Transfer-Encoding: gzip')
    const response = await exchangeOnce(server, bytes)
    // RFC 9112 §6.1: 501 for a coding that is not understood.
    expect([400, 501]).toContain(response.status)
    expect(response.header('Connection')).toBe('close')
    expect(await response.closed()).toBe('closed')
  })

  test.each<[string, string]>([
    ['a chunk size with a sign', '+1\r\na\r\n0\r\n\r\n'],
    ['a chunk size with 0x', '0x1\r\na\r\n0\r\n\r\n'],
    ['a chunk size with a space', '1 \r\na\r\n0\r\n\r\n'],
    ['an empty chunk size', '\r\na\r\n0\r\n\r\n'],
    ['a chunk size beyond counting', 'fffffffffffffffff\r\n'],
    ['a chunk that is longer than its size', '1\r\nab\r\n0\r\n\r\n'],
    ['a bare LF after a chunk size', '1\na\r\n0\r\n\r\n'],
    ['white space behind a chunk extension', '1;a \r\na\r\n0\r\n\r\n'],
    ['a bare LF in the trailers', '0\r\nX: a\n\r\n'],
    ['a trailer that is none', '0\r\nX\r\n\r\n'],
  ])('%s is answered 400', async (_, body) => {
    await expectRefusal(
      server,
      `POST /length HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
      400,
    )
  })

  test.each<[string, string, string]>([
    [
      'white space around ";" and "=" of chunk extensions',
      '',
      '2 ; a = "b" ;c\r\nhi\r\n0\t;d\r\n\r\n',
    ],
    ['a tab behind "chunked"', '\t', '2\r\nhi\r\n0\r\n\r\n'],
    [
      'trailer fields that must not be there',
      '',
      '2\r\nhi\r\n0\r\nContent-Length: 9\r\nHost: forged\r\nX-Forged: 1\r\nConnection: ' +
        'close\r\n\r\n',
    ],
  ])('%s do no harm, and reach no application', async (_, after, body) => {
    const connection = await RawConnection.open(server)
    for (const path of ['/length', '/echo']) {
      const head =
        `POST ${path} HTTP/1.1\r\nHost: test\r\n` + `Transfer-Encoding: chunked${after}\r\n\r\n`
      const response = await connection.request(head + body)
      expect(response.status).toBe(200)
      if (path === '/length') {
        expect(response.text).toBe('2')
      } else {
        const { environ } = JSON.parse(response.text)
        expect(environ).toMatchObject({ CONTENT_LENGTH: '2', HTTP_HOST: 'test' })
        expect(environ).not.toHaveProperty('HTTP_X_FORGED')
        expect(environ).not.toHaveProperty('HTTP_TRANSFER_ENCODING')
      }
    }
  })

  test('HTTP/1.2 is served as HTTP/1.1', async () => {
    const connection = await RawConnection.open(server)
    const response = await connection.request(request('GET /echo HTTP/1.2', host))
    expect([response.version, response.status]).toEqual(['1.1', 200])
    expect(JSON.parse(response.text).environ.SERVER_PROTOCOL).toBe('HTTP/1.1')
    expect((await connection.request(get('/'))).status).toBe(200)
  })

  test('endless chunk extensions are answered 400 or 431, or 413', async () => {
    const response = await exchangeOnce(
      server,
      'POST /length HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n' +
        `1;${'x'.repeat(100_000)}\r\n`,
    )
    expect([400, 413, 431]).toContain(response.status)
    expect(await response.closed()).toBe('closed')
  })

  describe('the request line (414)', () => {
    test('is refused while it grows, before it ends', async () => {
      await expectRefusal(server, `GET /${'a'.repeat(5000)}`, 414)
    })
  })

  describe('the header fields (431)', () => {
    test('one longer than 8190 bytes is refused before it is complete', async () => {
      await expectRefusal(server, `GET / HTTP/1.1\r\nHost: test\r\nX: ${'a'.repeat(9000)}`, 431)
    })

    test('of 64 KiB with the request line are read, of a byte more refused, complete or not', async () => {
      const head = (size: number) => {
        const lines = Array.from({ length: 8 }, (_, number) => `X-${number}: ${'a'.repeat(8000)}`)
        const rest = size - request('GET / HTTP/1.1', host, ...lines, 'Y: ').length
        return request('GET / HTTP/1.1', host, ...lines, `Y: ${'b'.repeat(rest)}`)
      }
      expect(head(65536)).toHaveLength(65536)
      expect((await exchangeOnce(server, head(65536))).status).toBe(200)
      await expectRefusal(
        server,
        head(65537),
        431,
        /larger than 65536 bytes \(limit_request_head\)/,
      )
      await expectRefusal(server, head(100_000).slice(0, 65537), 431)
    })

    test('of any length leave the process alive, and are refused when the head is too large', async () => {
      const open = await startPlain({
        args: ['--limit-request-field-size', '0', '--limit-request-head', '1M'],
      })
      const long = 'x'.repeat(900_000)
      expect((await exchangeOnce(open, request('GET / HTTP/1.1', host, `${long}: 1`))).status).toBe(
        200,
      )
      await expectRefusal(open, request('GET / HTTP/1.1', host, `${long}${long}: 1`), 431)
      const half = await startPlain({
        args: ['--limit-request-field-size', '0', '--limit-request-line', '0'],
      })
      await expectRefusal(
        half,
        request('GET / HTTP/1.1', host, `${long}: 1`),
        431,
        /limit_request_head/,
      )
      await expectRefusal(half, request(`GET /${long} HTTP/1.1`, host), 414, /limit_request_head/)
    })
  })

  describe('the request body (413)', () => {
    test('of 1000 bytes is read, of 1001 refused before any of it is read', async () => {
      expect((await exchangeOnce(server, post('/length', Buffer.alloc(1000)))).text).toBe('1000')
      await expectRefusal(
        server,
        request('POST /length HTTP/1.1', host, 'Content-Length: 1001'),
        413,
      )
    })

    test('chunked: of 1000 bytes is read, refused as soon as it is longer', async () => {
      const head = 'POST /length HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n'
      const chunk = `1f4\r\n${'x'.repeat(500)}\r\n`
      expect((await exchangeOnce(server, `${head}${chunk}${chunk}0\r\n\r\n`)).text).toBe('1000')
      await expectRefusal(server, `${head}${chunk}${chunk}1\r\nx`, 413)
    })

    test('a client that goes on sending reads the 413 all the same', async () => {
      const connection = await RawConnection.open(server)
      const size = 30_000_000
      const sending = connection.send(
        Buffer.concat([
          Buffer.from(request('POST /length HTTP/1.1', host, `Content-Length: ${size}`)),
          Buffer.alloc(size),
        ]),
      )
      expect((await connection.readResponse()).status).toBe(413)
      await connection.readToEnd()
      await sending
    })

    test('is unlimited by default', async () => {
      const open = await startPlain()
      expect((await exchangeOnce(open, post('/length', Buffer.alloc(20_000_000)))).text).toBe(
        '20000000',
      )
    })
  })

  test('the largest request that the settings allow reaches its worker, and ends nothing', async () => {
    // Everything of it is in one frame: a target that stands in three variables and has two bytes
    // for each of its own there, and the body.
    const open = await startPlain({
      args: [
        '--limit-request-line',
        '0',
        '--limit-request-head',
        '1M',
        '--request-buffer-size',
        '8M',
      ],
    })
    const [worker] = open.workers()
    const body = Buffer.alloc(8 * 1024 * 1024)
    const head = (query: string) =>
      request(`POST /length?${query} HTTP/1.1`, host, `Content-Length: ${body.length}`)
    const longest = head('\xff'.repeat(1024 * 1024 - head('').length))
    expect(longest).toHaveLength(1024 * 1024)
    const response = await exchangeOnce(open, Buffer.concat([Buffer.from(longest, 'latin1'), body]))
    expect([response.status, response.text]).toEqual([200, String(body.length)])
    expect(open.workers()).toEqual([worker])
  })

  describe('header names with underscores', () => {
    const withUnderscore = get('/echo', 'X_Real_Ip: forged', 'X-Real-Ip: genuine')

    test('are dropped by default', async () => {
      const { environ } = JSON.parse((await exchangeOnce(server, withUnderscore)).text)
      expect(environ.HTTP_X_REAL_IP).toBe('genuine')
    })

    test('are refused with --header-map refuse', async () => {
      const strict = await startPlain({ args: ['--header-map', 'refuse'] })
      await expectRefusal(strict, withUnderscore, 400)
    })

    test('are passed on with --header-map dangerous', async () => {
      const open = await startPlain({ args: ['--header-map', 'dangerous'] })
      const { environ } = JSON.parse((await exchangeOnce(open, get('/echo', 'X_Only: here'))).text)
      expect(environ.HTTP_X_ONLY).toBe('here')
    })

    test('never stand for a framing header: dropped, or refused where underscores are passed on', async () => {
      const connection = await RawConnection.open(server)
      const answer = await connection.request(
        get('/echo', 'Content_Length: 5', 'Transfer_Encoding: chunked'),
      )
      const { environ } = JSON.parse(answer.text)
      expect(environ.CONTENT_LENGTH ?? '').toBe('')
      expect((await connection.request(get('/'))).text).toBe('hello\n')

      const open = await startPlain({ args: ['--header-map', 'dangerous'] })
      await expectRefusal(open, get('/echo', 'Content_Length: 5'), 400)
      await expectRefusal(open, get('/echo', 'Transfer_Encoding: chunked'), 400)
    })
  })

  test('OPTIONS * reaches the application or is answered, and the connection goes on', async () => {
    const connection = await RawConnection.open(server)
    const response = await connection.request('OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n')
    expect([200, 204, 404]).toContain(response.status)
    expect((await connection.request(get('/'))).text).toBe('hello\n')
  })

  afterEach(async () => {
    // Whatever was refused: the server is well.
    expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
  })

  test('a connection over max_connections gets its 503, though it has sent a request by then', async () => {
    const small = await startPlain({ args: ['--max-connections', '2'] })
    const open = [await RawConnection.open(small), await RawConnection.open(small)]
    for (const connection of open) {
      expect((await connection.request(get('/'))).status).toBe(200)
      await connection.send('GET / HT') // it is not idle, and need not make space
    }
    for (let i = 0; i < 5; i++) {
      // A handshake would cost more than the answer.
      if (small.secure) {
        await expect(RawConnection.open(small)).rejects.toThrow()
        continue
      }
      const over = await RawConnection.open(small)
      await over.send(post('/length', Buffer.alloc(200_000)))
      const response = await over.readResponse()
      expect(response.status).toBe(503)
      expect(response.header('Retry-After')).toBe('1')
      expect(await over.expectEnd()).toBe('closed')
    }
    await small.waitForLog(/answered 503, because there are 2 .* none is idle \[MONO4035\]/)
    for (const connection of open)
      expect((await connection.request('TP/1.1\r\nHost: a\r\n\r\n')).status).toBe(200)
    await open[0]!.close()
    await waitFor('space', async () => (await exchangeOnce(small, get('/'))).status === 200)
  })
})
