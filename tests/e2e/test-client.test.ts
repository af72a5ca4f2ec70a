import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type PythonApplication, pythonApp } from '../../src/python-app/python-app.ts'
import { PythonError } from '../../src/python-app/python-error.ts'
import { makeServer } from '../../src/reference-server/make-server.ts'
import { testClient } from '../../src/testing/test-client.ts'
import type { WSGIApplication } from '../../src/wsgi/types.ts'
import { appsDirectory, patternedBytes } from '../support/applications.ts'
import { hasPython, testPython } from '../support/python.ts'

describe.skipIf(!hasPython())('a Flask application under the test client', () => {
  let flask: PythonApplication

  beforeAll(async () => {
    flask = pythonApp('flask_app:app', {
      chdir: appsDirectory,
      python: testPython().executable,
      workers: 1,
      log: () => {},
    })
    await flask.ready()
  })

  afterAll(() => flask?.close())

  test('logs in by a form, is redirected, keeps its session and logs out', async () => {
    const client = testClient(flask)
    const welcome = await client.post('/login', {
      form: { user: 'Zo\u00eb' },
      followRedirects: true,
    })
    expect([welcome.status, await welcome.text()]).toEqual([200, 'Zo\u00eb'])
    expect(welcome.redirects.map(({ status }) => status)).toEqual([302])
    expect(client.cookies.get('session')?.httpOnly).toBe(true)
    expect((await client.post('/logout')).status).toBe(204)
    expect(client.cookies.get('session')).toBeUndefined()
    expect((await client.get('/whoami')).status).toBe(401)
  })

  test('gets files and answers with JSON', async () => {
    const client = testClient(flask)
    const content = patternedBytes(100_000)
    const response = await client.post('/upload', {
      multipart: { file: { filename: 'caf\u00e9 "x".bin', content } },
    })
    expect(await response.json()).toMatchObject({ filename: 'caf\u00e9 "x".bin', size: 100_000 })
    expect(await (await client.get('/json', { query: { name: 'Zo\u00eb' } })).json()).toEqual({
      framework: 'Flask',
      name: 'Zo\u00eb',
    })
  })

  test('makes links under the mount that the base URL says, and redirects stay there', async () => {
    const client = testClient(flask, {
      baseUrl: 'https://shop.example:8443/api',
      followRedirects: true,
      validate: true,
    })
    expect(await (await client.get('/absolute')).text()).toBe(
      'https://shop.example:8443/api/greet/Zo%C3%AB',
    )
    const greeting = await client.get('/redirect')
    expect(greeting.request.url).toBe('https://shop.example:8443/api/greet/Ann')
    expect(await greeting.text()).toBe('Hello, Ann')
  })

  test('streams', async () => {
    const response = await testClient(flask).get('/stream?a')
    let text = ''
    for await (const piece of response.body) text += new TextDecoder().decode(piece)
    expect(text.split('\n')).toHaveLength(101)
    const left = await testClient(flask).get('/stream')
    left.close()
    expect((await testClient(flask).get('/')).status).toBe(200)
  })

  test('gets the routes\u2019 errors as Flask answers them', async () => {
    const teapot = await testClient(flask).get('/teapot')
    expect([teapot.status, await teapot.json()]).toEqual([418, { error: 'short and stout' }])
    expect((await testClient(flask).get('/boom')).status).toBe(500)
  })
})

describe.skipIf(!hasPython())('a Python application that fails', () => {
  test('makes the call reject with its traceback, or is a 500', async () => {
    const app = pythonApp('plain:app', {
      chdir: appsDirectory,
      python: testPython().executable,
      workers: 1,
      env: { TEST_DATA: appsDirectory },
      log: () => {},
    })
    onTestFinished(() => app.close())
    const error = await testClient(app)
      .get('/raise-before')
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(PythonError)
    expect((error as PythonError).traceback).toContain('Traceback (most recent call last)')
    expect((await testClient(app, { raiseErrors: false }).get('/raise-before')).status).toBe(500)
  })
})

test('a request makes the environ that a server makes of the same one', async () => {
  const app: WSGIApplication = async (environ, startResponse) => {
    const body = await environ['wsgi.input'].read()
    startResponse('200 OK', [['Content-Type', 'application/json']])
    const seen = Object.entries(environ).filter(([, value]) => typeof value !== 'object')
    return [
      new TextEncoder().encode(
        JSON.stringify([...seen, ['the body', String.fromCharCode(...body)]].sort()),
      ),
    ]
  }
  const httpd = makeServer('127.0.0.1', 0, app, { log: false })
  const { port } = await httpd.listening
  const serving = httpd.serveForever()
  onTestFinished(async () => {
    await httpd.shutdown()
    await serving
  })
  const headers = [
    ['Accept', 'a/b'],
    ['accept', 'c/d'],
    ['X-Latin', 'caf\u00e9'],
    ['Cookie', 'a=1'],
    ['Content-Type', 'text/x'],
  ] as const
  const target = '/a%20b/%C3%A9%ff//c;d=%2F?q=%20+&x#'
  // What belongs to one connection, and what a server says of itself.
  const own = [
    'REMOTE_PORT',
    'SERVER_SOFTWARE',
    'HTTP_CONNECTION',
    'wsgi.multithread',
    'wsgi.file_wrapper',
    'wsgi.early_hints',
  ]
  const compared = (text: string) =>
    (JSON.parse(text) as [string, unknown][]).filter(([name]) => !own.includes(name))

  const served = await new Promise<string>((resolve, reject) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      method: 'PUT',
      path: target.replace('#', ''),
    })
    for (const [name, value] of headers) {
      const before = request.getHeader(name)
      request.setHeader(name, before === undefined ? value : [String(before), value])
    }
    request.setHeader('Content-Length', 3)
    request.on('error', reject)
    request.on('response', async (response) => {
      const pieces: Buffer[] = []
      for await (const piece of response) pieces.push(piece)
      resolve(Buffer.concat(pieces).toString())
    })
    // Bytes: with text Node would write the head in the text's encoding.
    request.end(Buffer.from('\u00e9!'))
  })
  const client = testClient(app, { baseUrl: `http://127.0.0.1:${port}` })
  const tested = await (await client.put(target, { headers, body: '\u00e9!' })).text()
  expect(compared(tested)).toEqual(compared(served))
})
