import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { get, type PlainServer, post, startPlain } from '../support/plain-application.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'

// How exchanges follow each other on a connection, and what stands on the wire (RFC 9110, RFC
// 9112).

describe.skipIf(!hasPython())('responses', () => {
  let server: PlainServer
  beforeAll(async () => {
    server = await startPlain({ args: ['--workers', '2', '--keep-alive', '60'] })
  })
  afterAll(() => server?.stop())
  const open = () => RawConnection.open(server)

  describe('keep-alive (RFC 9112 §9.3)', () => {
    test('HTTP/1.1 keeps the connection for request after request', async () => {
      const connection = await open()
      for (let i = 0; i < 5; i++) {
        const response = await connection.request(get('/'))
        expect(response.text).toBe('hello\n')
        expect(response.header('Connection')).not.toBe('close')
      }
    })

    test('Connection: close, in any case and among others, closes after the response and says so', async () => {
      for (const line of ['Connection: close', 'connection: Close', 'Connection: x-hop, close']) {
        const connection = await open()
        const response = await connection.request(get('/', line))
        expect(response.header('Connection')).toBe('close')
        expect(await connection.expectEnd()).toBe('closed')
      }
    })

    test('a request behind Connection: close is not answered', async () => {
      const connection = await open()
      await connection.send(get('/', 'Connection: close') + get('/pid'))
      expect((await connection.readResponse()).text).toBe('hello\n')
      expect(await connection.expectEnd()).toBe('closed')
    })

    test('HTTP/1.0 closes, and keeps the connection when asked with Connection: keep-alive', async () => {
      const closing = await open()
      const response = await closing.request('GET / HTTP/1.0\r\n\r\n')
      expect(response.text).toBe('hello\n')
      expect(await closing.expectEnd()).toBe('closed')

      const keeping = await open()
      for (let i = 0; i < 3; i++) {
        const kept = await keeping.request('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
        expect(kept.text).toBe('hello\n')
        expect(kept.header('Connection')?.toLowerCase()).toBe('keep-alive')
      }
    })

    test('an idle connection is closed after the time of --keep-alive', async () => {
      const quick = await startPlain({ args: ['--keep-alive', '1'] })
      const connection = await RawConnection.open(quick)
      // The server counts from when it has answered, which a busy client may hear of late.
      const since = Date.now()
      await connection.request(get('/'))
      expect(await connection.expectEnd()).toBe('closed')
      expect(Date.now() - since).toBeGreaterThan(700)
      expect(Date.now() - since).toBeLessThan(20_000)
    })

    test('--keep-alive 0 closes after every response', async () => {
      const none = await startPlain({ args: ['--keep-alive', '0'] })
      const connection = await RawConnection.open(none)
      expect((await connection.request(get('/'))).header('Connection')).toBe('close')
      expect(await connection.expectEnd()).toBe('closed')
    })

    test('a body that the application does not read does not disturb the next request', async () => {
      const connection = await open()
      const body = 'GET /pid HTTP/1.1\r\nHost: inside\r\n\r\n'.repeat(500)
      expect((await connection.request(post('/ignore-body', body))).text).toBe('not read\n')
      expect((await connection.request(get('/'))).text).toBe('hello\n')
    })

    test('a large body, which goes through a temporary file, does not disturb the next request with a body', async () => {
      for (const route of ['/length', '/ignore-body']) {
        const connection = await open()
        for (let i = 0; i < 3; i++) {
          const large = await connection.request(post(route, Buffer.alloc(3_000_000)))
          expect(large.text).toBe(route === '/length' ? '3000000' : 'not read\n')
          connection.timeout = 5_000
          expect((await connection.request(post('/length', 'small'))).text).toBe('5')
        }
      }
    })

    test('a client that has sent its last request and FIN still gets every answer', async () => {
      const connection = await open()
      await connection.send(get('/') + get('/nap?ms=50') + get('/'))
      connection.halfClose()
      for (let i = 0; i < 3; i++) expect((await connection.readResponse()).status).toBe(200)
      expect(await connection.expectEnd()).toBe('closed')
    })
  })

  describe('pipelining (RFC 9112 §9.3.2)', () => {
    test('is answered in order, slow ones before fast ones, GET and POST mixed', async () => {
      const connection = await open()
      const requests = [
        get('/nap?ms=60'),
        get('/'),
        post('/echo', 'first'),
        get('/chunked'),
        get('/status?line=204+No+Content'),
        post('/length', 'x'.repeat(100_000)),
        get('/missing'),
      ]
      await connection.send(Buffer.concat(requests.map((request) => Buffer.from(request))))
      expect((await connection.readResponse()).text).toMatch(/^\d+$/)
      expect((await connection.readResponse()).text).toBe('hello\n')
      expect(JSON.parse((await connection.readResponse()).text).body).toBe('first')
      expect((await connection.readResponse()).text).toBe('one,two,three')
      expect((await connection.readResponse()).status).toBe(204)
      expect((await connection.readResponse()).text).toBe('100000')
      expect((await connection.readResponse()).status).toBe(404)
    })

    test('two hundred at once are all answered', async () => {
      const connection = await open()
      const count = 200
      await connection.send(
        Array.from({ length: count }, (_, number) => get(`/echo?n=${number}`)).join(''),
      )
      for (let number = 0; number < count; number++) {
        const { environ } = JSON.parse((await connection.readResponse()).text)
        expect(environ.QUERY_STRING).toBe(`n=${number}`)
      }
    })

    test('what comes before a refused request is answered first', async () => {
      const connection = await open()
      await connection.send(
        `${get('/nap?ms=50')}${get('/')}GET / HTTP/1.1\r\nHost : test\r\n\r\n${get('/')}`,
      )
      expect((await connection.readResponse()).status).toBe(200)
      expect((await connection.readResponse()).status).toBe(200)
      const refusal = await connection.readResponse()
      expect(refusal.status).toBe(400)
      expect(refusal.header('Connection')).toBe('close')
      expect(await connection.expectEnd()).toBe('closed')
    })

    test('requests split anywhere are the same requests', async () => {
      const text = Buffer.concat([
        Buffer.from(get('/')),
        post('/echo', 'body'),
        Buffer.from(get('/')),
      ])
      for (let cut = 1; cut < text.length; cut += 7) {
        const connection = await open()
        await connection.sendSplit(text, [cut], 0)
        expect((await connection.readResponse()).text).toBe('hello\n')
        expect(JSON.parse((await connection.readResponse()).text).body).toBe('body')
        expect((await connection.readResponse()).text).toBe('hello\n')
        connection.close()
      }
    })
  })

  describe('Expect (RFC 9110 §10.1.1)', () => {
    const head = (target: string, length: number) =>
      `POST ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: ${length}\r\nExpect: ` +
      '100-continue\r\n\r\n'

    test('100 comes before the body is sent, then the answer', async () => {
      const connection = await open()
      await connection.send(head('/length', 5))
      expect(await connection.readResponse()).toMatchObject({ status: 100, headers: [] })
      await connection.send('abcde')
      expect((await connection.readResponse()).text).toBe('5')
      expect((await connection.request(get('/'))).status).toBe(200)
    })

    test('no 100 is due when the body is already there', async () => {
      const connection = await open()
      await connection.send(`${head('/length', 5)}abcde`)
      const first = await connection.readResponse()
      const answer = first.status === 100 ? await connection.readResponse() : first
      expect(answer.text).toBe('5')
    })

    test('no 100 for HTTP/1.0', async () => {
      const connection = await open()
      await connection.send(
        'POST /length HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde',
      )
      expect(await connection.readResponse()).toMatchObject({ status: 200, text: '5' })
    })

    test('no 100 where there is no body to wait for', async () => {
      const connection = await open()
      const response = await connection.request(get('/', 'Expect: 100-continue'))
      expect(response).toMatchObject({ status: 200, text: 'hello\n' })
    })

    test('no 100 for a body that is refused for its length', async () => {
      const small = await startPlain({ args: ['--limit-request-body', '4'] })
      const response = await exchangeOnce(small, head('/length', 5))
      expect(response.status).toBe(413)
      expect(await response.closed()).toBe('closed')
    })
  })

  describe('framing (RFC 9112 §6)', () => {
    test('a body of known length has a Content-Length', async () => {
      const response = await exchangeOnce(server, get('/'))
      expect(response).toMatchObject({ framing: 'length', text: 'hello\n' })
    })

    test('a body of unknown length is chunked for 1.1, each part a chunk, no empty one among them', async () => {
      const response = await exchangeOnce(server, get('/chunked'))
      expect(response.framing).toBe('chunked')
      expect(response.header('Content-Length')).toBeUndefined()
      expect(response.chunks.map(String)).toEqual(['one,', 'two,', 'three'])
    })

    test('and ends with the connection for 1.0, even when asked to keep it', async () => {
      for (const line of ['', 'Connection: keep-alive\r\n']) {
        const connection = await open()
        const response = await connection.request(`GET /chunked HTTP/1.0\r\n${line}\r\n`)
        expect(response).toMatchObject({ framing: 'close', text: 'one,two,three', complete: true })
        expect(response.header('Connection')?.toLowerCase()).not.toBe('keep-alive')
      }
    })

    test('HEAD has the head of GET and no body, and the connection goes on', async () => {
      const connection = await open()
      for (const target of ['/', '/chunked', '/whole?size=100000', '/big?size=200000&sized']) {
        const got = await connection.request(get(target))
        const head = await connection.request(get(target).replace('GET', 'HEAD'), 'HEAD')
        expect(head.status).toBe(got.status)
        expect(head.header('Content-Length')).toBe(got.header('Content-Length'))
        expect(head.header('Content-Type')).toBe(got.header('Content-Type'))
      }
      expect((await connection.request(get('/'))).text).toBe('hello\n')
    })

    test('204 and 304 have no body and no framing headers, and the connection goes on', async () => {
      const connection = await open()
      for (const line of ['204+No+Content', '304+Not+Modified']) {
        const response = await connection.request(get(`/status?line=${line}`))
        expect(response.status).toBe(Number(line.slice(0, 3)))
        expect(response.header('Transfer-Encoding')).toBeUndefined()
        expect(response.header('X-Header')).toBe('kept')
        // RFC 9110 §8.6: no Content-Length in a 204.
        if (response.status === 204) expect(response.header('Content-Length')).toBeUndefined()
      }
      expect((await connection.request(get('/'))).text).toBe('hello\n')
    })

    test('an empty body has a Content-Length of 0', async () => {
      expect(await exchangeOnce(server, get('/status?line=200+OK'))).toMatchObject({
        framing: 'length',
        text: '',
      })
      expect((await exchangeOnce(server, get('/whole?size=0'))).header('Content-Length')).toBe('0')
    })

    test('an unknown status goes through with its reason', async () => {
      expect(await exchangeOnce(server, get('/status?line=299+Odd+but+Fine'))).toMatchObject({
        status: 299,
        reason: 'Odd but Fine',
      })
    })

    test.each(['sized', 'chunked'])('a large body arrives whole, %s', async (how) => {
      const size = 5_000_000
      const target = how === 'sized' ? `/big?size=${size}&sized` : `/big?size=${size}`
      const response = await exchangeOnce(server, get(target))
      expect(response.framing).toBe(how === 'sized' ? 'length' : 'chunked')
      expect(response.body.length).toBe(size)
      expect(response.body.every((byte, at) => byte === at % 256)).toBe(true)
    })

    test('a chunked request body is decoded, split anywhere', async () => {
      const text =
        'POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n' +
        '4;name="quoted; text"\r\nabcd\r\nA\r\n0123456789\r\n0\r\nX-Trailer: dropped\r\n\r\n'
      for (let cut = text.indexOf('\r\n\r\n'); cut < text.length; cut += 3) {
        const connection = await open()
        await connection.sendSplit(text + get('/'), [cut], 0)
        const { body, environ } = JSON.parse((await connection.readResponse()).text)
        expect(body).toBe('abcd0123456789')
        expect(environ.HTTP_X_TRAILER).toBeUndefined()
        expect(environ.CONTENT_LENGTH).toBe('14')
        expect((await connection.readResponse()).text).toBe('hello\n')
        connection.close()
      }
    })
  })

  describe('headers', () => {
    test('Date is there, in the form of RFC 9110 §5.6.7, and is now', async () => {
      const date = (await exchangeOnce(server, get('/'))).header('Date') ?? ''
      expect(date).toMatch(
        /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/,
      )
      expect(Math.abs(Date.parse(date) - Date.now())).toBeLessThan(5_000)
    })

    test('Server says who we are, or what it is told, or nothing', async () => {
      expect((await exchangeOnce(server, get('/'))).header('Server')).toBe('monoceros')
      const renamed = await startPlain({ args: ['--server-header', 'web/1'] })
      expect((await exchangeOnce(renamed, get('/'))).header('Server')).toBe('web/1')
      expect((await exchangeOnce(renamed, 'nonsense\r\n\r\n')).header('Server')).toBe('web/1')
      const nameless = await startPlain({ args: ['--no-server-header'] })
      expect((await exchangeOnce(nameless, get('/'))).header('Server')).toBeUndefined()
      expect((await exchangeOnce(nameless, 'nonsense\r\n\r\n')).header('Server')).toBeUndefined()
    })

    test('Date and Server of the application stand; its order and its repeated headers are kept', async () => {
      const response = await exchangeOnce(server, get('/own-headers'))
      expect(response.header('Date')).toBe('Sun, 06 Nov 1994 08:49:37 GMT')
      expect(response.header('Server')).toBe("the application's")
      expect(response.all('Set-Cookie')).toEqual(['a=1', 'b=2'])
    })
  })

  test('the same over a unix socket, with the remote address empty', async () => {
    const unix = await startPlain({ args: ['--bind', `unix:${server.data}/socket`] })
    expect(unix.socketPath).toBe(`${server.data}/socket`)
    const connection = await RawConnection.open(unix)
    expect((await connection.request(get('/'))).text).toBe('hello\n')
    const { environ } = JSON.parse((await connection.request(get('/echo'))).text)
    expect(environ.REMOTE_ADDR ?? '').toBe('')
    expect(environ.SERVER_PROTOCOL).toBe('HTTP/1.1')
  })
})
