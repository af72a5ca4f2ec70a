import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import {
  makeServer,
  type ServerOptions,
  type WSGIServer,
} from '../../src/reference-server/make-server.ts'
import { callApplication } from '../../src/wsgi/application.ts'
import { errorStream } from '../../src/wsgi/error-stream.ts'
import type { WSGIApplication } from '../../src/wsgi/types.ts'
import { waitFor } from '../support/wait-for.ts'

const hello: WSGIApplication = (environ, startResponse) => {
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [Buffer.from(`hello ${environ.SCRIPT_NAME}${environ.PATH_INFO}\n`)]
}

const servers: WSGIServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.shutdown()
})

function make(app: WSGIApplication = hello, options: ServerOptions = {}) {
  const lines: string[] = []
  const complaints: string[] = []
  const httpd = makeServer('127.0.0.1', 0, app, {
    log: (line) => lines.push(line),
    errors: errorStream((text) => complaints.push(text)),
    ...options,
  })
  servers.push(httpd)
  return { httpd, lines, complaints }
}

describe('makeServer', () => {
  test('serves until it is shut down', async () => {
    const { httpd, lines } = make()
    const served = httpd.serveForever()
    const { url } = await httpd.listening
    expect(httpd.address).toMatchObject({ host: '127.0.0.1', url })
    expect(await (await fetch(`${url}/x`)).text()).toBe('hello /x\n')
    expect(lines.join()).toMatch(/^127\.0\.0\.1 - - \[.*\] "GET \/x HTTP\/1\.1" 200 9$/)
    await httpd.shutdown()
    await served
    expect(httpd.address).toBeNull()
    await expect(fetch(url)).rejects.toThrow()
  })

  test('an empty host is every address', async () => {
    const httpd = makeServer('', 0, hello, { log: false })
    servers.push(httpd)
    void httpd.serveForever()
    const { port, url } = await httpd.listening
    expect(url).toBe(`http://localhost:${port}`)
    expect((await fetch(`http://127.0.0.1:${port}`)).status).toBe(200)
  })

  test('requests wait until somebody serves them, and handleRequest answers one', async () => {
    const { httpd, lines } = make()
    const { url } = await httpd.listening
    const answers: string[] = []
    const asked = ['/1', '/2', '/3'].map(async (path) => {
      answers.push(await (await fetch(url + path, { method: 'POST', body: 'a body' })).text())
    })
    await httpd.handleRequest()
    await waitFor('one answer', () => answers.length === 1)
    expect(lines.length).toBe(1)
    await httpd.handleRequest()
    await waitFor('another', () => answers.length === 2)
    expect(lines.length).toBe(2)
    await httpd.handleRequest()
    await Promise.all(asked)
    expect(answers.sort()).toEqual(['hello /1\n', 'hello /2\n', 'hello /3\n'])
  })

  test('handleRequest waits for a request that comes later', async () => {
    const { httpd } = make()
    const { url } = await httpd.listening
    const handled = httpd.handleRequest()
    expect((await fetch(url)).status).toBe(200)
    await handled
  })

  test('a body that came while its request waited is whole', async () => {
    const { httpd } = make(async (environ, startResponse) => {
      const body = await environ['wsgi.input'].read()
      startResponse('200 OK', [['Content-Type', 'text/plain']])
      return [Buffer.from(String(body.length))]
    })
    const { url } = await httpd.listening
    const answer = fetch(url, { method: 'POST', body: Buffer.alloc(1_000_000) })
    await httpd.handleRequest()
    expect(await (await answer).text()).toBe('1000000')
  })

  test('requests that wait when it is shut down are answered 503', async () => {
    const { httpd } = make()
    const { port } = await httpd.listening
    const socket = connect(port, '127.0.0.1')
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString()
    })
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await new Promise((resolve) => socket.once('connect', resolve))
    await httpd.shutdown()
    await waitFor('the answer', () => received.startsWith('HTTP/1.1 503'))
  })

  test('shutdown lets what is running finish, and may be called twice', async () => {
    let go: () => void = () => {}
    const waiting = new Promise<void>((resolve) => {
      go = resolve
    })
    let begun = false
    const { httpd } = make(async (environ, startResponse) => {
      begun = true
      await waiting
      return callApplication(hello, environ, startResponse)
    })
    void httpd.serveForever()
    const { url } = await httpd.listening
    const answer = fetch(url).then((response) => response.text())
    await waitFor('the request', () => begun)
    const ended = Promise.all([httpd.shutdown(), httpd.shutdown()])
    go()
    expect(await answer).toBe('hello /\n')
    await ended
  })

  test('a body that is cut at the end of the grace is closed before shutdown resolves', async () => {
    let closed = 0
    const { httpd } = make(
      (_environ, startResponse) => {
        startResponse('200 OK', [])
        const body = (async function* () {
          yield Buffer.from('first')
          await new Promise(() => {})
        })()
        return Object.assign(body, { close: () => closed++ })
      },
      { gracefulTimeout: 0.1 },
    )
    void httpd.serveForever()
    const { url } = await httpd.listening
    const reader = (await fetch(url)).body!.getReader()
    await reader.read()
    await httpd.shutdown()
    expect(closed).toBe(1)
  })

  test.each<[string, unknown, ServerOptions, RegExp]>([
    ['no application', 42, {}, /^makeServer: app must be .* not the number 42$/],
    [
      'a root path without its slash',
      hello,
      { rootPath: 'shop' },
      /rootPath must be .* not the string "shop"$/,
    ],
    ['a root path that ends in one', hello, { rootPath: '/shop/' }, /rootPath must be/],
    ['a limit that is none', hello, { maxBody: Number.NaN }, /maxBody must be/],
    ['a negative time', hello, { gracefulTimeout: -1 }, /gracefulTimeout must be/],
  ])('%s is refused at once', (_, app, options, message) => {
    const act = () => makeServer('127.0.0.1', 0, app as WSGIApplication, options)
    expect(act).toThrow(message)
    expect(act).toThrow(expect.objectContaining({ code: 'bad-option' }))
  })

  test('an address that is taken is the system’s error', async () => {
    const { httpd } = make()
    const { port } = await httpd.listening
    const other = makeServer('127.0.0.1', port, hello, { log: false })
    await expect(other.serveForever()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await other.shutdown()
  })

  test('an application that throws is told where errors go', async () => {
    const { httpd, complaints } = make(() => {
      throw new Error('on purpose')
    })
    void httpd.serveForever()
    const { url } = await httpd.listening
    expect((await fetch(url)).status).toBe(500)
    expect(complaints.join('')).toMatch(
      /Error handling request "GET \/ HTTP\/1\.1" \[MONO4001\]\nError: on purpose/,
    )
  })

  test('a body over maxBody is answered 413, and rootPath is SCRIPT_NAME', async () => {
    const { httpd } = make(hello, { maxBody: 10, rootPath: '/shop' })
    void httpd.serveForever()
    const { url } = await httpd.listening
    expect((await fetch(url, { method: 'POST', body: 'more than ten bytes' })).status).toBe(413)
    expect(await (await fetch(`${url}/shop/cart`)).text()).toBe('hello /shop/cart\n')
  })
})
