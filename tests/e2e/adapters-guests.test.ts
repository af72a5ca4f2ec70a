import { createHash } from 'node:crypto'
import { createReadStream, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import connect from 'connect'
import express, { type NextFunction, type Request, type Response, Router } from 'express'
import { Hono } from 'hono'
import { stream as honoStream } from 'hono/streaming'
import { describe, expect, onTestFinished, test } from 'vitest'
import { fromFetchHandler } from '../../src/adapters/from-fetch-handler.ts'
import { fromNodeHandler, type NodeListener } from '../../src/adapters/from-node-handler.ts'
import { toFetchHandler } from '../../src/adapters/to-fetch-handler.ts'
import { toNodeHandler } from '../../src/adapters/to-node-handler.ts'
import { errorStream } from '../../src/wsgi/error-stream.ts'
import type { WSGIApplication } from '../../src/wsgi/types.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { callForAnswer } from '../support/call-application.ts'
import { RawConnection } from '../support/raw-client.ts'
import { waitFor } from '../support/wait-for.ts'

const MIB = 1024 * 1024
const SIZE = 48 * MIB
/**
 * More than the buffers of a loopback connection and of both ends hold, and much less than {@link
 * SIZE}.
 */
const AHEAD = 24 * MIB
const PIECE = Buffer.alloc(64 * 1024, 97)

/**
 * Serves a WSGI application, mounted, through the other direction's adapter: both are on the way
 * there and back.
 */
async function served(app: WSGIApplication, mount = '/legacy') {
  let log = ''
  const errors = errorStream((text) => {
    log += text
  })
  const server = createServer(express().use(mount || '/', toNodeHandler(app, { errors })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(
    () =>
      new Promise<void>((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  )
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://127.0.0.1:${port}${mount}`,
    open: () => RawConnection.open({ port }),
    log: () => log,
  }
}

/** Whether a number above zero stays the same for a while. */
async function stable(read: () => number): Promise<boolean> {
  const value = read()
  if (value === 0) return false
  for (let times = 0; times < 15; times++) {
    await sleep(10)
    if (read() !== value) return false
  }
  return true
}

describe('fromNodeHandler, with Express', () => {
  test('a mounted application sees its path, its mount and the client', async () => {
    const app = express()
    const inner = Router().get('/deep/:id', (request, response) => {
      const { url, baseUrl, originalUrl, params, query, ip, protocol, hostname, httpVersion } =
        request
      response.json({
        url,
        baseUrl,
        originalUrl,
        params,
        query,
        ip,
        protocol,
        hostname,
        httpVersion,
      })
    })
    const { url } = await served(fromNodeHandler(app.use('/v1', inner)))
    const response = await fetch(`${url}/v1/deep/a%2Fb%20c?x=%C3%A9`)
    expect(await response.json()).toEqual({
      url: '/deep/a%2Fb%20c?x=%C3%A9',
      baseUrl: '/legacy/v1',
      originalUrl: '/legacy/v1/deep/a%2Fb%20c?x=%C3%A9',
      params: { id: 'a/b c' },
      query: { x: 'é' },
      ip: '127.0.0.1',
      protocol: 'http',
      hostname: '127.0.0.1',
      httpVersion: '1.1',
    })
  })

  test('when a middleware has changed the path, the changed one counts', async () => {
    const app = express().use(
      (request, response) => void response.send(`${request.baseUrl}|${request.url}`),
    )
    const changed = { SCRIPT_NAME: '/a b', PATH_INFO: '/c?\u00c3\u00a9', REQUEST_URI: '/else' }
    const answer = await callForAnswer(fromNodeHandler(app), { environ: changed })
    expect(answer.body).toBe('/a%20b|/c%3F%C3%A9')
  })

  test('https, HTTP/1.0 and IPv6 are seen on the request', async () => {
    const app = express().get('/', ({ secure, httpVersion, socket }, response) => {
      response.json({ secure, httpVersion, family: socket.remoteFamily, port: socket.remotePort })
    })
    const environ = {
      'wsgi.url_scheme': 'https',
      SERVER_PROTOCOL: 'HTTP/1.0',
      REMOTE_ADDR: '::1',
      REMOTE_PORT: '7',
    }
    const { body } = await callForAnswer(fromNodeHandler(app), { environ })
    expect(JSON.parse(body)).toEqual({ secure: true, httpVersion: '1.0', family: 'IPv6', port: 7 })
  })

  test('JSON, forms and cookies go in; JSON, cookies and redirects come out', async () => {
    const app = express().use(express.json(), express.urlencoded())
    app.post('/echo', (request, response) => {
      response.cookie('a', '1').cookie('b', '2').status(201).json({ got: request.body })
    })
    app.get('/away', (request, response) => response.redirect(`${request.baseUrl}/there`))
    const { url } = await served(fromNodeHandler(app))
    const json = await fetch(`${url}/echo`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"a":"é"}',
    })
    expect([json.status, await json.json()]).toEqual([201, { got: { a: 'é' } }])
    expect(json.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Path=/'])
    const form = await fetch(`${url}/echo`, {
      method: 'POST',
      body: new URLSearchParams({ q: 'x y' }),
    })
    expect(await form.json()).toEqual({ got: { q: 'x y' } })
    const chunked = await fetch(`${url}/echo`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: new Blob(['{"b":', '2}']).stream(),
      duplex: 'half',
    })
    expect(await chunked.json()).toEqual({ got: { b: 2 } })
    const away = await fetch(`${url}/away`, { redirect: 'manual' })
    expect([away.status, away.headers.get('Location')]).toEqual([302, '/legacy/there'])
  })

  test('a body of unknown length is one for body parsers also where the server has hidden its framing', async () => {
    const app = express()
      .use(express.text())
      .post('/', (request, response) => void response.send(request.body))
    const answer = await callForAnswer(fromNodeHandler(app), {
      body: 'hello',
      headers: [['Content-Type', 'text/plain']],
      environ: { CONTENT_LENGTH: undefined },
    })
    expect(answer.body).toBe('hello')
  })

  test('sendFile answers whole, by ranges, by conditions, and to HEAD', async () => {
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    const path = join(directory.path, 'file.bin')
    const content = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, n) => n % 251))
    writeFileSync(path, content)
    const app = express().get('/file', (_request, response) => response.sendFile(path))
    const { url, open } = await served(fromNodeHandler(app))
    const whole = await fetch(`${url}/file`)
    expect(Buffer.from(await whole.arrayBuffer()).equals(content)).toBe(true)
    expect(whole.headers.get('Content-Length')).toBe('300000')
    const part = await fetch(`${url}/file`, { headers: { Range: 'bytes=10-19' } })
    expect([part.status, part.headers.get('Content-Range')]).toEqual([206, 'bytes 10-19/300000'])
    expect(Buffer.from(await part.arrayBuffer()).equals(content.subarray(10, 20))).toBe(true)
    const etag = whole.headers.get('ETag')!
    // Not by fetch, which adds Cache-Control: no-cache to such a request.
    const conditional = `GET /legacy/file HTTP/1.1\r\nHost: a\r\nIf-None-Match: ${etag}\r\n\r\n`
    const unchanged = await (await open()).request(conditional)
    expect([unchanged.status, unchanged.body.length, unchanged.header('ETag')]).toEqual([
      304,
      0,
      etag,
    ])
    const head = await fetch(`${url}/file`, { method: 'HEAD' })
    expect([head.status, head.headers.get('Content-Length'), await head.text()]).toEqual([
      200,
      '300000',
      '',
    ])
  })

  test('middlewares that wrap the response, as sessions and compression do, see what they expect', async () => {
    const events: string[] = []
    const app = express().use((request, response, next) => {
      const { writeHead, end } = response
      // What on-headers and express-session do.
      response.writeHead = ((...args: Parameters<typeof writeHead>) => {
        response.setHeader('X-Late', 'set')
        return writeHead.apply(response, args)
      }) as typeof writeHead
      response.end = ((...args: Parameters<typeof end>) => {
        setImmediate(() => end.apply(response, args))
        return response
      }) as typeof end
      response.on('finish', () => events.push('finish'))
      response.on('close', () => events.push('close'))
      request.on('end', () => events.push('end'))
      request.on('close', () => events.push('request close'))
      next()
    })
    app.get('/', (_request, response) => void response.send('wrapped'))
    const { url } = await served(fromNodeHandler(app), '')
    const response = await fetch(url)
    expect([response.headers.get('X-Late'), await response.text()]).toEqual(['set', 'wrapped'])
    await waitFor('all events', () => events.length === 4)
    expect([...events].sort()).toEqual(['close', 'end', 'finish', 'request close'])
  })

  test('what Express does not answer comes back: a plain 404, and an error that is thrown on', async () => {
    const app = express()
      .set('env', 'development') // where Express would show the stack
      .get('/boom', () => {
        throw Object.assign(new Error('boom'), { status: 418 })
      })
      .get('/late', async (_request, response) => {
        response.write('some')
        throw new Error('late')
      })
    const { url, log } = await served(fromNodeHandler(app))
    const missing = await fetch(`${url}/none`)
    expect([missing.status, await missing.text()]).toEqual([404, 'Not Found\n'])
    const boom = await fetch(`${url}/boom`)
    expect(boom.status).toBe(418)
    expect(await boom.text()).not.toContain('boom')
    await expect(fetch(`${url}/late`).then((response) => response.text())).rejects.toThrow()
    await waitFor('the log', () => /Error: late/.test(log()))
    const { error } = await callForAnswer(fromNodeHandler(app), { target: '/boom' })
    expect(error).toMatchObject({ message: 'boom', status: 418 })
  })

  test('an error handler of Express goes first', async () => {
    const app = express().get('/boom', () => {
      throw new Error('boom')
    })
    app.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
      response.status(503).send(`sorry: ${error.message}`)
    })
    const { url } = await served(fromNodeHandler(app))
    const answer = await fetch(`${url}/boom`)
    expect([answer.status, await answer.text()]).toEqual([503, 'sorry: boom'])
  })
})

describe('fromNodeHandler', () => {
  /** An application of one listener. */
  const app = (listener: NodeListener) => fromNodeHandler(listener)

  test('a Connect application runs too', async () => {
    const inner = connect().use('/x', (request, response) => {
      response.end(`${request.originalUrl}|${request.url}`)
    })
    const { url } = await served(fromNodeHandler(inner))
    expect(await (await fetch(`${url}/x/y`)).text()).toBe('/legacy/x/y|/y')
  })

  test('an answer that is written in one go comes in one piece, with its length', async () => {
    const answer = await callForAnswer(
      app((_request, response) => {
        response.writeHead(200, 'Fine', { 'X-A': 'b' })
        response.write('one ')
        response.end('two')
      }),
    )
    expect([answer.status, answer.header('X-A'), answer.pieces]).toEqual([
      '200 Fine',
      'b',
      ['one two'],
    ])
    const counted = await callForAnswer(app((_request, response) => response.end('é')))
    expect([counted.header('Content-Length'), counted.body]).toEqual(['2', 'Ã©'])
  })

  test('what is about the connection is left out, and header bytes are kept', async () => {
    const answer = await callForAnswer(
      app((_request, response) => {
        response.setHeader('Trailer', 'X-Sum')
        response.setHeader('Transfer-Encoding', 'chunked')
        response.setHeader('Keep-Alive', 'timeout=1')
        response.setHeader('X-Bytes', '\u00e9')
        response.setHeader('Set-Cookie', ['a', 'b'])
        response.write('body é')
        response.addTrailers({ 'X-Sum': '1' })
        response.end()
      }),
    )
    expect(answer.headers).toEqual([
      ['X-Bytes', '\u00e9'],
      ['Set-Cookie', 'a'],
      ['Set-Cookie', 'b'],
    ])
    expect(answer.body).toBe('body Ã©')
    expect(answer.complete).toBe(true)
  })

  test('interim responses are dropped, and an upgrade is refused', async () => {
    const early = await callForAnswer(
      app((_request, response) => {
        response.writeContinue()
        response.writeProcessing()
        response.writeEarlyHints({ link: '</a.css>; rel=preload' })
        response.end('final')
      }),
    )
    expect([early.status, early.body]).toEqual(['200 OK', 'final'])
    const upgrade = await callForAnswer(
      app((_request, response) => {
        response.writeHead(101, { Upgrade: 'websocket' })
        response.end()
      }),
    )
    expect(upgrade.status).toBe('500 Internal Server Error')
    expect(String(upgrade.error)).toMatch(/interim status 101/)
  })

  test('what is written before the end is sent at once, and so is a flushed head', async () => {
    let release = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const { open } = await served(
      app(async (request, response) => {
        if (request.url === '/flush') response.flushHeaders()
        else response.write('first')
        await gate
        response.end('last')
      }),
    )
    const connection = await open()
    await connection.send('GET /legacy/ HTTP/1.1\r\nHost: a\r\n\r\n')
    const early = (await connection.readSome()).toString()
    expect(early).toMatch(/^HTTP\/1\.1 200 OK/)
    release()
    await waitFor('the end', async () => (await connection.readSome()).toString().includes('last'))
  })

  test('an error that the listener throws, or rejects with, is thrown on', async () => {
    for (const listener of [
      () => {
        throw new Error('thrown')
      },
      async () => {
        throw new Error('thrown')
      },
    ]) {
      const answer = await callForAnswer(app(listener))
      expect([answer.status, String(answer.error)]).toEqual([
        '500 Internal Server Error',
        'Error: thrown',
      ])
    }
  })

  test('an error in the middle of the answer breaks it off, and one behind its end is told', async () => {
    const answer = await callForAnswer(
      app(async (_request, response) => {
        response.write('some')
        await sleep(1)
        throw new Error('late')
      }),
    )
    expect([answer.body, answer.complete, String(answer.error)]).toEqual([
      'some',
      false,
      'Error: late',
    ])
    let log = ''
    await callForAnswer(
      app(async (_request, response) => {
        response.end('all')
        await sleep(1)
        throw new Error('too late')
      }),
      {
        errors: errorStream((text) => {
          log += text
        }),
      },
    )
    await waitFor('the log', () => log.includes('too late'))
  })

  test('a connection that the listener destroys is an error, before the head and behind it', async () => {
    const before = await callForAnswer(app((request) => request.socket.destroy()))
    expect(before.status).toBe('500 Internal Server Error')
    const behind = await callForAnswer(
      app(async (_request, response) => {
        response.write('some')
        await sleep(1)
        response.destroy()
      }),
    )
    expect([behind.body, behind.complete]).toEqual(['some', false])
  })

  test('a listener that is none is refused at once', () => {
    expect(() => fromNodeHandler({} as NodeListener)).toThrow(
      /listener must be a function \(request, response\)/,
    )
  })

  test('a large request is taken no faster than it is read, and a large answer is made no faster', async () => {
    let read = 0
    let written = 0
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const { open: connectTo } = await served(
      app(async (request, response) => {
        if (request.method === 'POST') {
          await gate
          for await (const piece of request) read += piece.length
          response.end(String(read))
          return
        }
        while (written < SIZE) {
          written += PIECE.length
          if (!response.write(PIECE))
            await new Promise<void>((resolve) => response.once('drain', resolve))
        }
        response.end()
      }),
    )
    const connection = await connectTo()
    await connection.send('GET /legacy/ HTTP/1.1\r\nHost: a\r\n\r\n')
    await waitFor('the buffers to fill', () => stable(() => written))
    expect(written).toBeLessThan(AHEAD)
    expect((await connection.readResponse()).body.length).toBe(SIZE)

    await connection.send(`POST /legacy/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`)
    let sent = 0
    const sending = (async () => {
      for (; sent < SIZE; sent += PIECE.length) await connection.send(PIECE)
    })()
    await waitFor('the buffers to fill', () => stable(() => sent))
    expect(sent).toBeLessThan(AHEAD)
    open()
    await sending
    expect((await connection.readResponse()).text).toBe(String(SIZE))
  })

  test('streams can be piped through, several times over the high-water mark', async () => {
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    const path = join(directory.path, 'large')
    const content = Buffer.from(Uint8Array.from({ length: 5 * MIB }, (_, n) => (n * 7) % 256))
    writeFileSync(path, content)
    const { url } = await served(
      app((request, response) => {
        if (request.method === 'POST') return pipeline(request, response)
        return pipeline(createReadStream(path), response)
      }),
    )
    const digest = (bytes: ArrayBuffer | Buffer) =>
      createHash('sha256')
        .update(new Uint8Array(bytes as ArrayBuffer))
        .digest('hex')
    expect(digest(await (await fetch(url)).arrayBuffer())).toBe(digest(content))
    const echoed = await fetch(url, { method: 'POST', body: content })
    expect(digest(await echoed.arrayBuffer())).toBe(digest(content))
  })

  test('when the client leaves, both the request and the response hear of it', async () => {
    const events: string[] = []
    let responseClosed = 0
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      request.on('aborted', () => events.push('aborted'))
      request.on('error', (error) => events.push(`error ${(error as NodeJS.ErrnoException).code}`))
      request.on('close', () => events.push('request close'))
      response.on('close', () => {
        responseClosed++
        events.push(`response close ${response.writableFinished}`)
      })
      response.write('some')
    }
    const { open, log } = await served(app(listener))
    const connection = await open()
    await connection.send('POST /legacy/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n')
    await connection.readSome()
    connection.reset()
    await waitFor('the events', () => events.includes('request close') && responseClosed > 0)
    expect([...events].sort()).toEqual([
      'aborted',
      'error ECONNRESET',
      'request close',
      'response close false',
    ])
    expect(log()).toBe('')
  })

  test('they hear of it also before there is an answer', async () => {
    const events: string[] = []
    const { open, log } = await served(
      app((request, response) => {
        request.on('close', () => events.push('request'))
        response.on('close', () => events.push('response'))
        events.push('called')
      }),
    )
    const connection = await open()
    await connection.send('GET /legacy/ HTTP/1.1\r\nHost: a\r\n\r\n')
    await waitFor('the call', () => events.includes('called'))
    connection.reset()
    await waitFor('the events', () => events.length === 3)
    expect(log()).toBe('')
  })

  test('a client that leaves in the middle of its request ends who waits for the rest', async () => {
    let caught: unknown = null
    let read = 0
    const { open, log } = await served(
      app(async (request, response) => {
        try {
          for await (const piece of request) read += piece.length
        } catch (error) {
          caught = error
        }
        response.end()
      }),
    )
    const connection = await open()
    await connection.send('POST /legacy/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab')
    await waitFor('what was sent', () => read === 2)
    connection.reset()
    await waitFor('the error', () => caught !== null)
    expect(caught).toMatchObject({ code: 'ECONNRESET' })
    expect(log()).toBe('')
  })

  test('toFetchHandler takes it too', async () => {
    const handler = toFetchHandler(
      fromNodeHandler(
        express().post(
          '/x',
          express.text(),
          (request, response) => void response.send(request.body),
        ),
      ),
    )
    const request = new Request('http://a/x', { method: 'POST', body: 'there and back' })
    expect(await (await handler(request)).text()).toBe('there and back')
  })
})

describe('fromFetchHandler', () => {
  const fetchHandler = (hono: Hono) => fromFetchHandler((request) => hono.fetch(request))

  test('a Hono application sees its path, the query, headers, cookies and the body', async () => {
    const hono = new Hono()
    hono.all('/:id', async (c) => {
      c.header('Set-Cookie', 'a=1', { append: true })
      c.header('Set-Cookie', 'b=2', { append: true })
      return c.json({
        id: c.req.param('id'),
        url: c.req.url,
        method: c.req.method,
        header: c.req.header('x-a'),
        body: await c.req.text(),
      })
    })
    const { url, port } = await served(fetchHandler(hono))
    const response = await fetch(`${url}/a%2Fb%20c?x=%C3%A9`, {
      method: 'PUT',
      headers: { 'X-A': 'b' },
      body: 'hello',
    })
    expect(await response.json()).toEqual({
      id: 'a/b c',
      url: `http://127.0.0.1:${port}/a%2Fb%20c?x=%C3%A9`,
      method: 'PUT',
      header: 'b',
      body: 'hello',
    })
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(response.statusText).toBe('OK')
    const get = (await (await fetch(`${url}/x`)).json()) as { body: string }
    expect(get.body).toBe('')
  })

  test('HEAD, 304 and 204 have no body; what is missing is 404', async () => {
    const hono = new Hono()
    hono.get('/', (c) => c.body('hello', 200, { 'Content-Length': '5' }))
    hono.get('/304', (c) => c.body(null, 304))
    hono.get('/204', (c) => c.body(null, 204))
    const { url } = await served(fetchHandler(hono))
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.headers.get('Content-Length'), await head.text()]).toEqual(['5', ''])
    expect((await fetch(`${url}/304`)).status).toBe(304)
    expect((await fetch(`${url}/204`)).status).toBe(204)
    expect((await fetch(`${url}/404`)).status).toBe(404)
  })

  test('with keepScriptName the path is whole', async () => {
    const app = fromFetchHandler((request) => new Response(new URL(request.url).pathname), {
      keepScriptName: true,
    })
    const { url } = await served(app)
    expect(await (await fetch(`${url}/x`)).text()).toBe('/legacy/x')
  })

  test('a request that would become another as a Request is refused', async () => {
    let called = 0
    const app = fromFetchHandler(() => {
      called++
      return new Response('')
    })
    const refused = [
      { target: '/public/../admin' },
      { target: '/public/%2e%2E/admin' },
      { target: '/x/.' },
      { headers: [['Host', 'evil.example/x?']] },
      { headers: [['Host', 'user@evil.example']] },
      { headers: [['Host', 'a.example, b.example']] },
      { method: 'TRACE' },
      { method: 'CONNECT' },
    ] as const
    for (const request of refused) {
      const answer = await callForAnswer(app, request as Parameters<typeof callForAnswer>[1])
      expect([request, answer.status]).toEqual([request, '400 Bad Request'])
    }
    expect(called).toBe(0)
    for (const target of ['/a.b/..c', '//x', "/%25/'", '/%5C', '/?a#b']) {
      expect((await callForAnswer(app, { target })).status).toBe('200 OK')
    }
  })

  test('a large request is taken no faster than it is read, and a large answer is made no faster', async () => {
    let read = 0
    let written = 0
    let openGate = () => {}
    const gate = new Promise<void>((resolve) => {
      openGate = resolve
    })
    const hono = new Hono()
    hono.get('/', (c) =>
      honoStream(c, async (out) => {
        for (; written < SIZE; written += PIECE.length) await out.write(PIECE)
      }),
    )
    hono.post('/', async (c) => {
      await gate
      for await (const piece of c.req.raw.body!) read += piece.length
      return c.text(String(read))
    })
    const { open } = await served(fetchHandler(hono))
    const connection = await open()
    await connection.send('GET /legacy/ HTTP/1.1\r\nHost: a\r\n\r\n')
    await waitFor('the buffers to fill', () => stable(() => written))
    expect(written).toBeLessThan(AHEAD)
    expect((await connection.readResponse()).body.length).toBe(SIZE)

    await connection.send(`POST /legacy/ HTTP/1.1\r\nHost: a\r\nContent-Length: ${SIZE}\r\n\r\n`)
    let sent = 0
    const sending = (async () => {
      for (; sent < SIZE; sent += PIECE.length) await connection.send(PIECE)
    })()
    await waitFor('the buffers to fill', () => stable(() => sent))
    expect(sent).toBeLessThan(AHEAD)
    openGate()
    await sending
    expect((await connection.readResponse()).text).toBe(String(SIZE))
  })

  test('when the client leaves, the signal aborts and the body is cancelled once', async () => {
    let cancelled = 0
    let aborted = 0
    const app = fromFetchHandler((request) => {
      request.signal.addEventListener('abort', () => aborted++)
      const body = new ReadableStream({
        start: (controller) => controller.enqueue(PIECE),
        cancel: () => void cancelled++,
      })
      return new Response(body)
    })
    const { open, log } = await served(app)
    const connection = await open()
    await connection.send('GET /legacy/ HTTP/1.1\r\nHost: a\r\n\r\n')
    await connection.readSome()
    connection.reset()
    await waitFor('the abort', () => aborted === 1 && cancelled === 1)
    expect(log()).toBe('')
  })

  test('the signal aborts also before there is an answer, and what fails of it is not an error', async () => {
    let called = false
    let aborted = false
    const app = fromFetchHandler((request) => {
      called = true
      return new Promise((_resolve, reject) => {
        request.signal.addEventListener('abort', () => {
          aborted = true
          reject(new Error('stopped'))
        })
      })
    })
    const { open, log } = await served(app)
    const connection = await open()
    await connection.send('GET /legacy/ HTTP/1.1\r\nHost: a\r\n\r\n')
    await waitFor('the call', () => called)
    connection.reset()
    await waitFor('the abort', () => aborted)
    expect(log()).toBe('')
  })

  test('an error before the answer is thrown on, one in its body breaks it off', async () => {
    const thrown = await callForAnswer(fromFetchHandler(() => Promise.reject(new Error('thrown'))))
    expect(String(thrown.error)).toBe('Error: thrown')
    const broken = await callForAnswer(
      fromFetchHandler(() => {
        let pulled = 0
        return new Response(
          new ReadableStream({
            pull: (controller) =>
              pulled++ === 0 ? controller.enqueue(PIECE) : controller.error(new Error('late')),
          }),
        )
      }),
    )
    expect([broken.body.length, broken.complete, String(broken.error)]).toEqual([
      PIECE.length,
      false,
      'Error: late',
    ])
    const nothing = await callForAnswer(fromFetchHandler(() => undefined as never))
    expect(String(nothing.error)).toMatch(/must return a Response, not undefined/)
    expect(() => fromFetchHandler({} as never)).toThrow(
      /handler must be a function from Request to Response/,
    )
  })

  test('toFetchHandler gives back what it was', async () => {
    const hono = new Hono().post('/echo', async (c) =>
      c.text(`${await c.req.text()} ${c.req.query('q')}`),
    )
    const handler = toFetchHandler(fetchHandler(hono as unknown as Hono))
    const response = await handler(
      new Request('http://a.example/echo?q=1', { method: 'POST', body: 'there' }),
    )
    expect([response.status, await response.text()]).toEqual([200, 'there 1'])
  })
})
