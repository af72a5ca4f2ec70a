import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGzip, gzipSync } from 'node:zlib'
import { serve } from '@hono/node-server'
import connect from 'connect'
import express, { Router } from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { createServer as createViteServer } from 'vite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toFetchHandler } from '../../src/adapters/to-fetch-handler.ts'
import { type NodeHandlerOptions, toNodeHandler } from '../../src/adapters/to-node-handler.ts'
import { errorStream } from '../../src/wsgi/error-stream.ts'
import { readChunks } from '../../src/wsgi/input-stream.ts'
import type {
  ErrorStream,
  StartResponse,
  WSGIApplication,
  WSGIEnvironment,
} from '../../src/wsgi/types.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { RawConnection } from '../support/raw-client.ts'
import { runtimeServers } from '../support/runtime-servers.ts'
import { waitFor } from '../support/wait-for.ts'

const encoder = new TextEncoder()
const MIB = 1024 * 1024
const PIECE = new Uint8Array(64 * 1024).fill(97)
const SIZE = 48 * MIB
/**
 * More than the buffers of a loopback connection and of both ends hold, and much less than {@link
 * SIZE}.
 */
const AHEAD = 24 * MIB

/** An application that does, by its path, what the tests are about, and remembers it. */
class Probe {
  environ: WSGIEnvironment | null = null
  produced = 0
  closed = 0
  read = 0
  readError: unknown = null
  log = ''
  readonly errors: ErrorStream = errorStream((text) => {
    this.log += text
  })
  #open: (() => void) | null = null
  readonly #gate = new Promise<void>((resolve) => {
    this.#open = resolve
  })

  openGate(): void {
    this.#open?.()
  }

  readonly app: WSGIApplication = async (environ, startResponse) => {
    this.environ = environ
    const text: [string, string][] = [['Content-Type', 'text/plain; charset=utf-8']]
    switch (environ.PATH_INFO) {
      case '/upload':
        await this.#gate
        try {
          for await (const piece of readChunks(environ['wsgi.input'])) this.read += piece.length
        } catch (error) {
          this.readError = error
          throw error
        }
        startResponse('200 OK', text)
        return [encoder.encode(String(this.read))]
      case '/download':
        startResponse('200 OK', text)
        return this.#download(SIZE)
      case '/endless':
        startResponse('200 OK', text)
        return this.#download(Number.POSITIVE_INFINITY)
      case '/waiting':
        startResponse('200 OK', text)
        return this.#closing(
          (async function* () {
            yield encoder.encode('first')
            await new Promise(() => {})
          })(),
        )
      case '/head':
        startResponse('200 OK', [...text, ['Content-Length', '5']])
        return [encoder.encode('hello')]
      case '/304':
        startResponse('304 Not Modified', [['ETag', '"a"']])
        return []
      case '/204':
        startResponse('204 No Content', [['X-Kept', '1']])
        return []
      case '/headers':
        startResponse('200 Fine', [
          ['Content-Type', 'text/plain'],
          ['Set-Cookie', 'a=1; Path=/'],
          ['Set-Cookie', 'b=2; Path=/'],
          ['X-Bytes', '\u00e9\u00ff'],
        ])
        return [
          encoder.encode(environ.HTTP_X_BYTES ?? ''),
          encoder.encode(`|${environ.HTTP_COOKIE}`),
        ]
      case '/throw':
        throw new Error('thrown on purpose')
      case '/throw-late':
        startResponse('200 OK', text)
        return this.#closing(
          (async function* () {
            yield encoder.encode('some')
            throw new Error('thrown late')
          })(),
        )
      default: {
        const body = await environ['wsgi.input'].read()
        startResponse('200 OK', text)
        const { REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING } = environ
        return [
          encoder.encode(
            `${REQUEST_METHOD} ${SCRIPT_NAME}|${PATH_INFO}|${QUERY_STRING}|${body.length}`,
          ),
        ]
      }
    }
  }

  #download(size: number) {
    const produce = () => {
      this.produced += PIECE.length
    }
    return this.#closing(
      (async function* () {
        for (let left = size; left > 0; left -= PIECE.length) {
          produce()
          yield PIECE
        }
      })(),
    )
  }

  #closing(pieces: AsyncGenerator<Uint8Array>) {
    return {
      [Symbol.asyncIterator]: () => pieces,
      close: () => {
        this.closed++
      },
    }
  }
}

interface Host {
  port: number
  /** Where the application is mounted. */
  mount: string
}

/** Does what the package compression does, which Next.js has. */
function compress(response: ServerResponse): void {
  const gzip = createGzip()
  const write = response.write.bind(response)
  const end = response.end.bind(response)
  gzip.on('data', (piece: Buffer) => write(piece)).on('end', () => end())
  Object.assign(response, {
    write: (piece: Buffer) => {
      if (!response.headersSent) response.writeHead(response.statusCode)
      return gzip.write(piece)
    },
    end: () => gzip.end(),
    flush: () => gzip.flush(),
  })
  response.setHeader('Content-Encoding', 'gzip')
}

function listen(listener: RequestListener): Promise<number> {
  return listening(createServer(listener))
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
    onTestFinished(
      () =>
        new Promise<void>((closed) => {
          server.close(() => closed())
          server.closeAllConnections()
        }),
    )
  })
}

const nodeHosts: Record<
  string,
  (app: WSGIApplication, options: NodeHandlerOptions) => Promise<Host>
> = {
  'node:http': async (app, options) => ({
    port: await listen(toNodeHandler(app, options)),
    mount: '',
  }),
  'Express 5, mounted': async (app, options) => {
    const host = express().use('/api', toNodeHandler(app, options))
    return { port: await listen(host), mount: '/api' }
  },
  'Express 5, in routers': async (app, options) => {
    const inner = Router().use('/inner', toNodeHandler(app, options))
    const host = express().use('/outer/:name', Router().use('/v1', inner))
    return { port: await listen(host), mount: '/outer/x/v1/inner' }
  },
  Connect: async (app, options) => {
    const host = connect().use('/api', connect().use('/v2', toNodeHandler(app, options)))
    return { port: await listen(host), mount: '/api/v2' }
  },
  'Fastify 5': async (app, options) => {
    const host = fastify()
    const handler = toNodeHandler(app, { ...options, scriptName: '/py' })
    host.register(async (scope) => {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
      for (const url of ['/py', '/py/*']) {
        scope.all(url, (request, reply) => {
          reply.hijack()
          handler(request.raw, reply.raw)
        })
      }
    })
    await host.listen({ port: 0, host: '127.0.0.1' })
    onTestFinished(async () => {
      host.server.closeAllConnections()
      await host.close()
    })
    return { port: (host.server.address() as AddressInfo).port, mount: '/py' }
  },
  'Vite 8': async (app, options) => {
    const root = temporaryDirectory()
    const vite = await createViteServer({
      root: root.path,
      cacheDir: join(root.path, 'cache'),
      configFile: false,
      logLevel: 'silent',
      server: {
        port: await freePort(),
        host: '127.0.0.1',
        allowedHosts: true,
        hmr: false,
        ws: false,
        watch: null,
      },
      optimizeDeps: { noDiscovery: true },
      plugins: [
        {
          name: 'wsgi',
          // Here, and not behind createServer: there Vite's own answer of 404 goes before.
          configureServer: ({ middlewares }) => {
            middlewares.use('/py', toNodeHandler(app, options))
          },
        },
      ],
    })
    await vite.listen()
    onTestFinished(async () => {
      const server = vite.httpServer as Server | null
      server?.closeAllConnections()
      await vite.close()
      root.remove()
    })
    return { port: (vite.httpServer!.address() as AddressInfo).port, mount: '/py' }
  },
}

/** Vite takes 0 for its usual port. */
async function freePort(): Promise<number> {
  const server = createNetServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const fetchHosts: typeof nodeHosts = {
  'Hono on @hono/node-server': async (app, options) => {
    const handler = toFetchHandler(app, { ...options, scriptName: '/shop' })
    const hono = new Hono()
    hono.all('/shop', (c) => handler(c.req.raw))
    hono.all('/shop/*', (c) => handler(c.req.raw))
    return { port: await serveHono(hono), mount: '/shop' }
  },
  "Hono's mount()": async (app, options) => {
    const hono = new Hono()
    const handler = toFetchHandler(app, {
      ...options,
      scriptName: '/shop',
      scriptNameStripped: true,
    })
    hono.mount('/shop', (request) => handler(request))
    return { port: await serveHono(hono), mount: '/shop' }
  },
  ...serversOfRuntime(),
}

/** Under Bun and Deno (tests/release/bun-and-deno.test.ts), their own servers. */
function serversOfRuntime(): typeof nodeHosts {
  return Object.fromEntries(
    Object.entries(runtimeServers).flatMap(([name, serveBy]) => {
      const host = (handler: (request: Request) => Response | Promise<Response>) => {
        const server = serveBy(handler)
        onTestFinished(server.close)
        return { port: server.port, mount: '/shop' }
      }
      const alone: (typeof nodeHosts)[string] = async (app, options) =>
        host(toFetchHandler(app, { ...options, scriptName: '/shop' }))
      const inHono: (typeof nodeHosts)[string] = async (app, options) => {
        const handler = toFetchHandler(app, { ...options, scriptName: '/shop' })
        const hono = new Hono().all('/shop/*', (c) => handler(c.req.raw))
        return host(hono.fetch)
      }
      return [
        [name, alone],
        [`Hono on ${name}`, inHono],
      ]
    }),
  )
}

function serveHono(hono: Hono): Promise<number> {
  return new Promise((resolve) => {
    const server = serve({ fetch: hono.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
      resolve(port),
    ) as Server
    onTestFinished(
      () =>
        new Promise<void>((closed) => {
          server.close(() => closed())
          server.closeAllConnections()
        }),
    )
  })
}

async function hosted(make: (typeof nodeHosts)[string]) {
  const probe = new Probe()
  const { port, mount } = await make(probe.app, { errors: probe.errors })
  const open = () => RawConnection.open({ port })
  const head = (path: string, method = 'GET', ...headers: string[]) =>
    [`${method} ${mount}${path} HTTP/1.1`, 'Host: shop.example:81', ...headers, '', ''].join('\r\n')
  return { probe, mount, open, head }
}

describe.each(Object.entries({ ...nodeHosts, ...fetchHosts }))('%s', (name, make) => {
  const isNode = name in nodeHosts

  test('the application gets the method, its mount, the rest of the path, the query and the body', async () => {
    const { open, head, mount } = await hosted(make)
    const connection = await open()
    const get = await connection.request(head('/a%20b/%c3%a9?x=%20&y'))
    expect(get.text).toBe(`GET ${mount}|/a b/Ã©|x=%20&y|0`)
    const put = await connection.request(`${head('/p', 'PUT', 'Content-Length: 3')}abc`)
    expect(put.text).toBe(`PUT ${mount}|/p||3`)
    const chunked = head(
      '/c',
      'POST',
      'Transfer-Encoding: chunked',
      'Content-Type: application/json',
    )
    const post = await connection.request(`${chunked}2\r\n{}\r\n0\r\n\r\n`)
    expect(post.text).toBe(`POST ${mount}|/c||2`)
  })

  test('a request for the mount itself has an empty path, and a slash only where one was sent', async () => {
    const { open, head, mount } = await hosted(make)
    const connection = await open()
    if (mount !== '' && name !== "Hono's mount()") {
      expect((await connection.request(head('?q'))).text).toBe(`GET ${mount}||q|0`)
    }
    expect((await connection.request(head('/?q'))).text).toBe(`GET ${mount}|/|q|0`)
  })

  test('header bytes, cookies and the reason arrive as they were sent, both ways', async () => {
    const { open, head } = await hosted(make)
    const response = await (await open()).request(
      head('/headers', 'GET', 'X-Bytes: \u00e9\u00ff', 'Cookie: a=1', 'Cookie: b=2'),
    )
    // The application sends the view as UTF-8, so the two bytes come as two letters.
    expect(response.text).toBe('éÿ|a=1; b=2')
    expect(response.all('Set-Cookie')).toEqual(['a=1; Path=/', 'b=2; Path=/'])
    expect(response.header('X-Bytes')).toBe('\u00e9\u00ff')
    expect(response.status).toBe(200)
    if (isNode) expect(response.reason).toBe('Fine') // @hono/node-server has its own
  })

  test('the address, the host and the scheme are right', async () => {
    const { probe, open, head } = await hosted(make)
    await (await open()).request(head('/'))
    const environ = probe.environ!
    expect(environ.HTTP_HOST).toBe('shop.example:81')
    expect(environ['wsgi.url_scheme']).toBe('http')
    expect(environ.SERVER_PORT).toMatch(/^\d+$/)
    if (isNode) {
      expect(environ.REMOTE_ADDR).toBe('127.0.0.1')
      expect(environ.SERVER_NAME).toBe('127.0.0.1')
      expect(environ.SERVER_PROTOCOL).toBe('HTTP/1.1')
    }
  })

  test('HEAD has the headers of GET and no body', async () => {
    const { open, head } = await hosted(make)
    const connection = await open()
    const response = await connection.request(head('/head', 'HEAD'), 'HEAD')
    expect(response.header('Content-Length')).toBe('5')
    expect((await connection.request(head('/head'))).text).toBe('hello')
  })

  test('304 and 204 have no body, and the connection lives on', async () => {
    const { open, head } = await hosted(make)
    const connection = await open()
    const unchanged = await connection.request(head('/304'))
    expect([unchanged.status, unchanged.header('ETag')]).toEqual([304, '"a"'])
    const nothing = await connection.request(head('/204'))
    expect([nothing.status, nothing.header('X-Kept'), nothing.header('Content-Length')]).toEqual([
      204,
      '1',
      undefined,
    ])
    expect((await connection.request(head('/head'))).text).toBe('hello')
  })

  test('a large response is made no faster than it is read', async () => {
    const { probe, open, head } = await hosted(make)
    const connection = await open()
    await connection.send(head('/download'))
    await waitFor('the buffers to fill', () => stable(() => probe.produced))
    expect(probe.produced).toBeLessThan(AHEAD)
    expect(probe.closed).toBe(0)
    const response = await connection.readResponse()
    expect([response.complete, response.body.length]).toEqual([true, SIZE])
    await waitFor('close()', () => probe.closed === 1)
  })

  test('a large request is taken no faster than it is read', async () => {
    const { probe, open, head } = await hosted(make)
    const connection = await open()
    await connection.send(
      head('/upload', 'POST', `Content-Length: ${SIZE}`, 'Content-Type: text/plain'),
    )
    let sent = 0
    const sending = (async () => {
      for (; sent < SIZE; sent += PIECE.length) await connection.send(Buffer.from(PIECE))
    })()
    await waitFor('the buffers to fill', () => stable(() => sent))
    expect(sent).toBeLessThan(AHEAD)
    expect(probe.read).toBe(0)
    probe.openGate()
    await sending
    expect((await connection.readResponse()).text).toBe(String(SIZE))
  })

  test('a client that leaves in the middle of a response has its body closed once', async () => {
    const { probe, open, head } = await hosted(make)
    const connection = await open()
    await connection.send(head('/endless'))
    await connection.readSome(1)
    connection.reset()
    await waitFor('close()', () => probe.closed === 1)
    const after = probe.produced
    await waitFor('quiet', () => stable(() => probe.produced))
    expect(probe.produced - after).toBeLessThanOrEqual(PIECE.length)
    expect(probe.closed).toBe(1)
    expect(probe.log).toBe('')
  })

  test('a client that leaves while the body waits for something has it closed once', async () => {
    const { probe, open, head } = await hosted(make)
    const connection = await open()
    await connection.send(head('/waiting'))
    await connection.readSome(1)
    connection.reset()
    await waitFor('close()', () => probe.closed === 1)
    expect(probe.log).toBe('')
  })

  test('a client that leaves in the middle of its request breaks the input', async () => {
    const { probe, open, head } = await hosted(make)
    probe.openGate()
    const connection = await open()
    await connection.send(
      `${head('/upload', 'POST', 'Content-Length: 10', 'Content-Type: text/plain')}abc`,
    )
    await waitFor('what was sent', () => probe.read === 3)
    connection.reset()
    await waitFor('the error', () => probe.readError !== null)
    expect(probe.readError).toMatchObject({ code: 'input-broken' })
    expect(probe.log).toBe('')
  })

  test('an error before the head is 500 and is logged with its stack; the next request is answered', async () => {
    const { probe, open, head, mount } = await hosted(make)
    const connection = await open()
    const response = await connection.request(head('/throw'))
    expect(response.status).toBe(500)
    expect(response.text).not.toContain('purpose')
    expect(probe.log).toContain('thrown on purpose')
    expect(probe.log).toContain('adapters-hosts.test.ts')
    expect((await connection.request(head('/'))).text).toBe(`GET ${mount}|/||0`)
  })

  test('an error behind the head breaks the response off and closes the body', async () => {
    const { probe, open, head } = await hosted(make)
    const connection = await open()
    await connection.send(head('/throw-late'))
    const { rest } = await connection.readToEnd()
    expect(rest.toString('latin1')).not.toContain('\r\n0\r\n')
    await waitFor('close()', () => probe.closed === 1)
    expect(probe.log).toContain('thrown late')
  })

  // Hono's mount() makes a new Request, whose body its server can then no longer discard: it closes
  // the connection.
  test.skipIf(name === "Hono's mount()")(
    'an answer to a request whose body was not read leaves the connection usable',
    async () => {
      const { open, head } = await hosted(make)
      const connection = await open()
      const request = head('/head', 'POST', `Content-Length: ${MIB}`, 'Content-Type: text/plain')
      await connection.send(request)
      await connection.send(Buffer.alloc(MIB))
      expect((await connection.readResponse()).text).toBe('hello')
      expect((await connection.request(head('/head'))).text).toBe('hello')
    },
  )
})

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

describe('toNodeHandler', () => {
  async function answered(listener: RequestListener, request: string, method = 'GET') {
    const connection = await RawConnection.open({ port: await listen(listener) })
    return connection.request(request, method)
  }

  test('a target in absolute form loses its origin, which is then the host', async () => {
    const probe = new Probe()
    const listener = express().use('/api', toNodeHandler(probe.app))
    const response = await answered(
      listener,
      'GET http://a.example/api/x?y HTTP/1.1\r\nHost: b.example\r\n\r\n',
    )
    expect(response.text).toBe('GET /api|/x|y|0')
    expect(probe.environ).toMatchObject({
      HTTP_HOST: 'a.example',
      REQUEST_URI: 'http://a.example/api/x?y',
    })
  })

  test('a target of * has an empty path', async () => {
    const probe = new Probe()
    const response = await answered(
      toNodeHandler(probe.app),
      'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
    )
    expect(response.text).toBe('OPTIONS |||0')
    expect(probe.environ?.REQUEST_URI).toBe('*')
  })

  test('several Host headers are refused, and the application is not called', async () => {
    const probe = new Probe()
    const response = await answered(
      toNodeHandler(probe.app),
      'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n',
    )
    expect([response.status, response.header('Connection')]).toEqual([400, 'close'])
    expect(probe.environ).toBeNull()
  })

  test('headers that could pass for others do not reach the environ', async () => {
    const probe = new Probe()
    const request =
      'GET / HTTP/1.1\r\nHost: a\r\nX_Real_IP: 1\r\nProxy: http://evil\r\nX-Kept: 1\r\n' +
      'X-Kept: 2\r\n\r\n'
    await answered(toNodeHandler(probe.app), request)
    expect(probe.environ).not.toHaveProperty('HTTP_X_REAL_IP')
    expect(probe.environ).not.toHaveProperty('HTTP_PROXY')
    expect(probe.environ?.HTTP_X_KEPT).toBe('1,2')
  })

  test('on a unix socket the client has no address, and the server the name that was asked for', async () => {
    const directory = temporaryDirectory()
    const probe = new Probe()
    const server = createServer(toNodeHandler(probe.app))
    const socketPath = join(directory.path, 's')
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
      directory.remove()
    })
    const connection = await RawConnection.open({ socketPath, port: 0, host: '' })
    await connection.request('GET / HTTP/1.1\r\nHost: shop.example:81\r\n\r\n')
    expect(probe.environ).toMatchObject({
      REMOTE_ADDR: '',
      SERVER_NAME: 'shop.example',
      SERVER_PORT: '81',
    })
  })

  test('a path outside of scriptName goes to next(), or is 404 without one', async () => {
    const handler = toNodeHandler(new Probe().app, { scriptName: '/py' })
    const host = express()
      .use(handler)
      .use((_request, response) => void response.send('next'))
    const request = 'GET /pyx HTTP/1.1\r\nHost: a\r\n\r\n'
    expect((await answered(host, request)).text).toBe('next')
    expect((await answered(handler, request)).status).toBe(404)
    const inside = await answered(handler, 'GET /%70y/a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(inside.text).toBe('GET /py|/a/b||0')
  })

  test('a scriptName that is no path is refused at once', () => {
    const { app } = new Probe()
    for (const scriptName of ['py', '/py/', '/', 1 as unknown as string]) {
      expect(() => toNodeHandler(app, { scriptName })).toThrow(/scriptName must be a path/)
    }
    expect(() => toNodeHandler({} as WSGIApplication)).toThrow(/an application must be a function/)
  })

  const post = (body: string, ...headers: string[]) =>
    ['POST /x HTTP/1.1', 'Host: a', `Content-Length: ${body.length}`, ...headers, '', body].join(
      '\r\n',
    )

  test('a body that a parser has read is an error that says what to do', async () => {
    const probe = new Probe()
    const host = express().use(express.json(), toNodeHandler(probe.app, { errors: probe.errors }))
    expect((await answered(host, post('{"a":1}', 'Content-Type: application/json'))).status).toBe(
      500,
    )
    expect(probe.log).toMatch(
      /was read before the application could read it: mount the application before/,
    )
  })

  test('a parser that reads nothing does not matter', async () => {
    const host = express().use(express.json(), toNodeHandler(new Probe().app))
    expect((await answered(host, 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n')).text).toBe('GET |/x||0')
    expect((await answered(host, post('abc', 'Content-Type: text/plain'))).text).toBe('POST |/x||3')
  })

  test('the bytes that a parser has kept are the body', async () => {
    const keeping = express.json({
      verify: (request, _response, bytes) => {
        ;(request as { rawBody?: Buffer }).rawBody = bytes
      },
    })
    const request = post('{"a":1}', 'Content-Type: application/json')
    for (const parser of [keeping, express.raw({ type: 'application/json' })]) {
      const probe = new Probe()
      const response = await answered(express().use(parser, toNodeHandler(probe.app)), request)
      expect(response.text).toBe('POST |/x||7')
      expect(probe.environ?.CONTENT_LENGTH).toBe('7')
    }
  })

  test('what a parser has decompressed is no longer said to be compressed', async () => {
    const probe = new Probe()
    const bytes = gzipSync('hello hello hello hello')
    const connection = await RawConnection.open({
      port: await listen(express().use(express.raw({ type: '*/*' }), toNodeHandler(probe.app))),
    })
    const head =
      'POST /x HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Encoding: gzip\r\n' +
      `Content-Length: ${bytes.length}\r\n\r\n`
    await connection.send(Buffer.concat([Buffer.from(head), bytes]))
    expect((await connection.readResponse()).text).toBe('POST |/x||23')
    expect(probe.environ?.CONTENT_LENGTH).toBe('23')
    expect(probe.environ).not.toHaveProperty('HTTP_CONTENT_ENCODING')
  })

  test('with passErrors the framework answers for the error', async () => {
    const probe = new Probe()
    const host = express().use(toNodeHandler(probe.app, { passErrors: true, errors: probe.errors }))
    const failed = (
      error: Error,
      _request: unknown,
      response: express.Response,
      _next: unknown,
    ) => {
      response.status(503).send(error.message)
    }
    const response = await answered(host.use(failed), 'GET /throw HTTP/1.1\r\nHost: a\r\n\r\n')
    expect([response.status, response.text, probe.log]).toEqual([503, 'thrown on purpose', ''])
  })

  test('the headers of the framework stay, cookies and Vary add up, others are replaced', async () => {
    const host = express().use((_request, response, next) => {
      response.setHeader('X-Frame-Options', 'DENY')
      response.setHeader('Content-Type', 'text/html')
      response.setHeader('Set-Cookie', 'outer=1')
      response.setHeader('Vary', 'Origin')
      next()
    })
    host.use(
      toNodeHandler((_environ, startResponse) => {
        startResponse('200 OK', [
          ['content-type', 'text/plain'],
          ['Set-Cookie', 'inner=1'],
          ['Set-Cookie', 'inner=2'],
          ['Vary', 'Accept'],
        ])
        return []
      }),
    )
    const response = await answered(host, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(response.header('X-Frame-Options')).toBe('DENY')
    expect(response.header('Content-Type')).toBe('text/plain')
    expect(response.all('Set-Cookie')).toEqual(['outer=1', 'inner=1', 'inner=2'])
    expect(response.all('Vary')).toEqual(['Origin', 'Accept'])
    expect(response.header('Content-Length')).toBe('0')
  })

  test('a stream arrives piece by piece through middleware that compresses', async () => {
    const ends: (() => void)[] = []
    const app = toNodeHandler((_environ, startResponse) => {
      startResponse('200 OK', [['Content-Type', 'text/plain']])
      return (async function* pieces() {
        yield encoder.encode('first')
        await new Promise<void>((resolve) => ends.push(resolve))
        yield encoder.encode('second')
      })()
    })
    const port = await listen((request, response) => {
      compress(response)
      app(request, response)
    })
    const { body } = await fetch(`http://127.0.0.1:${port}/`)
    const reader = body!.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader.read()).value).toBe('first')
    await waitFor('the second piece', () => ends.length === 1)
    ends[0]!()
    expect((await reader.read()).value).toBe('second')
    expect((await reader.read()).done).toBe(true)
  })

  test('to HTTP/1.0 a body that fails ends in a reset, for its end would look like the end of the body', async () => {
    const probe = new Probe()
    const port = await listen(toNodeHandler(probe.app, { errors: probe.errors }))
    const connection = await RawConnection.open({ port })
    await connection.send('GET /throw-late HTTP/1.0\r\n\r\n')
    expect((await connection.readToEnd()).ending).toBe('reset')
  })

  test('write(), a late startResponse and a second one with an error work', async () => {
    const writer: WSGIApplication = async (_environ, startResponse) => {
      const write = startResponse('200 OK', [['Content-Type', 'text/plain']])
      for (let i = 0; i < 100; i++) await write(PIECE)
      return [encoder.encode('end')]
    }
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    expect((await answered(toNodeHandler(writer), request)).body.length).toBe(
      100 * PIECE.length + 3,
    )
    const late: WSGIApplication = async function* (
      _environ: WSGIEnvironment,
      startResponse: StartResponse,
    ) {
      startResponse('200 OK', [])
      startResponse('503 Later', [['X-A', '1']], new Error('on purpose'))
      yield encoder.encode('late')
    } as never
    const response = await answered(toNodeHandler(late), request)
    expect([response.status, response.reason, response.text]).toEqual([503, 'Later', 'late'])
  })
})

describe('HTTP/2', () => {
  async function http2(probe: Probe) {
    const server = createHttp2Server(toNodeHandler(probe.app, { errors: probe.errors }))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    session.on('error', () => {})
    onTestFinished(
      () =>
        new Promise<void>((closed) => {
          session.destroy()
          server.close(() => closed())
        }),
    )
    return session
  }

  async function answer(stream: ReturnType<Awaited<ReturnType<typeof http2>>['request']>) {
    const headers = await new Promise<Record<string, unknown>>((resolve, reject) => {
      stream.on('response', (fields) => resolve(fields as Record<string, unknown>))
      stream.on('error', reject)
    })
    let text = ''
    for await (const piece of stream) text += (piece as Buffer).toString('latin1')
    return { headers, text }
  }

  test('the authority is the host, header bytes are kept, cookies are several, and there is no reason', async () => {
    const probe = new Probe()
    const session = await http2(probe)
    const stream = session.request({
      ':path': '/headers?q',
      ':authority': 'shop.example',
      'x-bytes': 'é',
    })
    const { headers, text } = await answer(stream)
    expect(probe.environ).toMatchObject({
      HTTP_HOST: 'shop.example',
      SERVER_PROTOCOL: 'HTTP/2.0',
      QUERY_STRING: 'q',
    })
    expect(Object.keys(probe.environ!).filter((key) => key.includes(':'))).toEqual([])
    expect(headers['set-cookie']).toEqual(['a=1; Path=/', 'b=2; Path=/'])
    expect(text).toBe('\u00c3\u00a9|undefined')
  })

  test('both bodies are streamed', async () => {
    const probe = new Probe()
    probe.openGate()
    const session = await http2(probe)
    const upload = session.request({ ':path': '/upload', ':method': 'POST' })
    const answered = answer(upload)
    upload.end(Buffer.alloc(3 * MIB))
    expect((await answered).text).toBe(String(3 * MIB))
    const download = await answer(session.request({ ':path': '/download' }))
    expect(download.text.length).toBe(SIZE)
    expect(probe.closed).toBe(1)
  })

  test('a body that fails resets its stream, so nobody takes it for whole', async () => {
    const probe = new Probe()
    const session = await http2(probe)
    const stream = session.request({ ':path': '/throw-late' })
    await expect(answer(stream)).rejects.toMatchObject({ code: 'ERR_HTTP2_STREAM_ERROR' })
    expect(probe.log).toContain('thrown late')
    expect(probe.closed).toBe(1)
  })

  test('a client that resets its stream closes the body, or breaks the input', async () => {
    const probe = new Probe()
    probe.openGate()
    const session = await http2(probe)
    const download = session.request({ ':path': '/waiting' })
    download.on('error', () => {})
    await new Promise((resolve) => download.once('data', resolve))
    download.close(8)
    await waitFor('close()', () => probe.closed === 1)
    const upload = session.request({ ':path': '/upload', ':method': 'POST' })
    upload.on('error', () => {})
    upload.write('abc')
    await waitFor('what was sent', () => probe.read === 3)
    upload.destroy(new Error('reset on purpose')) // close() would send an end first
    await waitFor('the error', () => probe.readError !== null)
    expect(probe.readError).toMatchObject({ code: 'input-broken' })
  })
})
