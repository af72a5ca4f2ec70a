import { writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bodyLimit } from '../../src/middleware/body-limit/body-limit.ts'
import { compose } from '../../src/middleware/compose/compose.ts'
import { cors } from '../../src/middleware/cors/cors.ts'
import { dispatcher } from '../../src/middleware/dispatcher/dispatcher.ts'
import { methods } from '../../src/middleware/methods/methods.ts'
import { proxyFix } from '../../src/middleware/proxy-fix/proxy-fix.ts'
import { requestId } from '../../src/middleware/request-id/request-id.ts'
import { type PythonApplication, pythonApp } from '../../src/python-app/python-app.ts'
import { makeServer, type WSGIServer } from '../../src/reference-server/make-server.ts'
import { errorStream } from '../../src/wsgi/error-stream.ts'
import { readChunks } from '../../src/wsgi/input-stream.ts'
import type { WSGIApplication } from '../../src/wsgi/types.ts'
import { validator } from '../../src/wsgi/validator.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { hasPython, testPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { waitFor } from '../support/wait-for.ts'

/**
 * The middleware that is about requests, around applications in both languages, through sockets,
 * and with a validator on both sides of it.
 */

const PYTHON = `
import json

KEYS = ["HTTP_X_REQUEST_ID", "monoceros.request_id", "REMOTE_ADDR", "wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO",
        "monoceros.proxyFix.original", "HTTP_HOST"]

def app(environ, start_response):
    if environ["PATH_INFO"] == "/length":
        length = len(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(length).encode()]
    start_response("200 OK", [("Content-Type", "application/json"), ("X-Request-ID", "own")])
    return [json.dumps({key: environ.get(key) for key in KEYS}).encode()]
`

const MAX = 1000

const length: WSGIApplication = async (environ, startResponse) => {
  let total = 0
  for await (const piece of readChunks(environ['wsgi.input'])) total += piece.length
  startResponse('200 OK', [['Content-Type', 'text/plain']])
  return [Buffer.from(String(total))]
}

const duplex: WSGIApplication = async function* (environ, startResponse) {
  startResponse('200 OK', [['Content-Type', 'application/octet-stream']])
  yield* readChunks(environ['wsgi.input'])
} as WSGIApplication

describe.skipIf(!hasPython())('middleware about requests, in a server', () => {
  let httpd: WSGIServer
  let url: string
  let python: PythonApplication
  let streaming: PythonApplication
  const complaints: string[] = []

  beforeAll(async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory.path, 'asked.py'), PYTHON)
    const options = { workers: 1, chdir: directory.path, python: testPython().executable }
    python = pythonApp('asked:app', options)
    streaming = pythonApp('asked:app', { ...options, requestBuffering: false })
    const site = dispatcher({
      '/python': python,
      '/streaming': streaming,
      '/length': methods({ POST: validator(length) }),
      '/duplex': methods({ POST: validator(duplex) }),
      'other.example': validator((environ, startResponse) => {
        startResponse('200 OK', [['Content-Type', 'text/plain']])
        return [Buffer.from(`other ${environ.PATH_INFO}`)]
      }),
    })
    const stack = compose(
      requestId({ generate: () => 'id-1' }),
      proxyFix({ host: 1 }),
      cors({ origin: 'https://shop.example', credentials: true }),
      bodyLimit({ maxBytes: MAX }),
    )
    httpd = makeServer('127.0.0.1', 0, validator(stack(site)), {
      log: false,
      errors: errorStream((text) => complaints.push(text)),
    })
    void httpd.serveForever()
    url = (await httpd.listening).url
  })

  afterAll(async () => {
    await httpd?.shutdown()
    await python?.close()
    await streaming?.close()
    expect(complaints.join('')).toBe('')
  })

  /** A body without a declared length: chunked. */
  function post(path: string, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    return fetch(url + path, {
      method: 'POST',
      body: ReadableStream.from(body),
      duplex: 'half',
    } as RequestInit)
  }
  const pieces = (total: number) =>
    Array.from({ length: total / 100 }, () => Buffer.alloc(100, 'x'))

  test('an application in Python sees what the middleware has made of the request', async () => {
    const answer = await fetch(`${url}/python/some/path`, {
      headers: {
        'X-Request-ID': 'forged',
        'X-Forwarded-For': '6.6.6.6, 192.0.2.1',
        'X-Forwarded-Proto': 'https',
        'X-Forwarded-Host': 'shop.example',
        Origin: 'https://shop.example',
      },
    })
    expect(await answer.json()).toEqual({
      HTTP_X_REQUEST_ID: 'id-1',
      'monoceros.request_id': 'id-1',
      REMOTE_ADDR: '192.0.2.1',
      'wsgi.url_scheme': 'https',
      SCRIPT_NAME: '/python',
      PATH_INFO: '/some/path',
      HTTP_HOST: 'shop.example',
      'monoceros.proxyFix.original': expect.objectContaining({
        REMOTE_ADDR: '127.0.0.1',
        'wsgi.url_scheme': 'http',
        HTTP_HOST: url.slice('http://'.length),
      }),
    })
    expect(answer.headers.get('X-Request-ID')).toBe('id-1')
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('https://shop.example')
    expect(answer.headers.get('Access-Control-Allow-Credentials')).toBe('true')
    expect(answer.headers.get('Vary')).toBe('Origin')
  })

  test('a host that a proxy names chooses the application', async () => {
    const answer = await fetch(`${url}/x`, {
      headers: { 'X-Forwarded-Host': 'Other.example:8443' },
    })
    expect(await answer.text()).toBe('other /x')
    expect((await fetch(`${url}/x`)).status).toBe(404)
  })

  test('a preflight does not get to the application', async () => {
    const answer = await fetch(`${url}/python/x`, {
      method: 'OPTIONS',
      headers: { Origin: 'https://shop.example', 'Access-Control-Request-Method': 'PUT' },
    })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('Access-Control-Allow-Methods')).toContain('PUT')
  })

  test('methods answers what the application does not', async () => {
    const refused = await fetch(`${url}/length`)
    expect([refused.status, refused.headers.get('Allow')]).toEqual([405, 'OPTIONS, POST'])
    expect((await fetch(`${url}/length`, { method: 'OPTIONS' })).status).toBe(204)
  })

  describe.each(['/length', '/python/length', '/streaming/length'])('a body for %s', (path) => {
    test('within the limit arrives, declared or not', async () => {
      const declared = await fetch(url + path, { method: 'POST', body: Buffer.alloc(MAX) })
      expect(await declared.text()).toBe(String(MAX))
      expect(await (await post(path, pieces(MAX))).text()).toBe(String(MAX))
    })

    test('beyond it is refused, declared or not', async () => {
      const declared = await fetch(url + path, { method: 'POST', body: Buffer.alloc(MAX + 1) })
      expect(declared.status).toBe(413)
      const counted = await post(path, pieces(MAX + 100))
      expect([counted.status, await counted.text()]).toEqual([413, 'Content Too Large\n'])
      expect(counted.headers.get('X-Request-ID')).toBe('id-1')
    })

    test('beyond it is refused before it has come as a whole', async () => {
      const status = await new Promise((resolve, reject) => {
        // Two pieces too many, and then nothing more: the body never ends.
        const request = httpRequest(url + path, { method: 'POST' }, (response) => {
          resolve(response.statusCode)
          request.destroy()
        })
        request.on('error', reject)
        for (const piece of pieces(MAX + 200)) request.write(piece)
      })
      expect(status).toBe(413)
    })
  })

  test('a response that has begun is cut off where the body it echoes passes the limit', async () => {
    const answer = await post('/duplex', pieces(MAX))
    expect((await answer.arrayBuffer()).byteLength).toBe(MAX)
    // fetch takes a chunked body that is cut off for a whole one (undici, behind `Connection:
    // close`); this client does not.
    const client = await RawConnection.open({ port: Number(new URL(url).port) })
    const chunk = (size: number) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`
    await client.send(
      `POST /duplex HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(100)}`,
    )
    const head = await client.readResponse('POST', { bodyless: true })
    expect(head.status).toBe(200)
    await client.send(chunk(MAX))
    const { rest } = await client.readToEnd()
    expect(rest.toString()).toBe(chunk(100))
    await waitFor('the complaint', () => complaints.length > 0)
    expect(complaints.splice(0).join('')).toContain('BodyTooLargeError')
  })
})
