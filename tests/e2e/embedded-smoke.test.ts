import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appsDirectory, patternedBytes, temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { callForAnswer } from '../support/call-application.ts'
import { metricsAddress, scrape } from '../support/metrics.ts'
import { get, post } from '../support/plain-application.ts'
import { hasPython, sitePackages } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { type RunningServer, runCommand, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// One test for each feature on the embedded Python. All that it does is tested in tests/embedded;
// this is what `npm test` has of it, so it is short.

const data = temporaryDirectory()
afterAll(data.remove)

/** tests/apps/plain.py, with a folder for what it writes. */
function startEmbedded(...args: string[]): Promise<RunningServer> {
  return startServer({
    app: 'plain:app',
    cwd: appsDirectory,
    args: ['--runtime', 'pyodide', '--mount', data.path, '-e', `TEST_DATA=${data.path}`, ...args],
  })
}

function existsInData(name: string): boolean {
  return existsSync(join(data.path, name))
}

function file(name: string, content: string | Buffer): void {
  writeFileSync(join(data.path, name), content)
}

/** A configuration whose hook shows in the log which one it is. */
function configure(name: string): void {
  file(
    'gunicorn.conf.py',
    `def post_fork(server, worker):\n    server.log.info("Forked ${name}")\n`,
  )
}

async function responseTo(server: RunningServer, request: string | Buffer) {
  const response = await exchangeOnce(server, request)
  return [response.status, response.text]
}

describe('a server on the embedded Python', () => {
  let server: RunningServer
  beforeAll(async () => {
    configure('once')
    server = await startEmbedded(
      ...['--access-logfile', '-', '-c', join(data.path, 'gunicorn.conf.py')],
      ...['--metrics-bind', '127.0.0.1:0'],
    )
  })

  test('says which Python it is', () => {
    expect(server.log()).toMatch(/Python \d+\.\d+.*(WebAssembly|Pyodide|embedded)/i)
  })

  test('passes the environ of a request', async () => {
    const { environ } = JSON.parse((await exchangeOnce(server, get('/echo?a=%20b'))).text)
    expect(environ).toMatchObject({
      REQUEST_METHOD: 'GET',
      PATH_INFO: '/echo',
      QUERY_STRING: 'a=%20b',
      SERVER_PROTOCOL: 'HTTP/1.1',
      'wsgi.url_scheme': 'http',
    })
  })

  test.each([
    ['in memory', 70_000],
    ['in a file', 3_000_000],
  ])('passes a request body that is %s', async (_where, size) => {
    expect(await responseTo(server, post('/length', patternedBytes(size)))).toEqual([
      200,
      String(size),
    ])
  })

  test('passes a chunked request body', async () => {
    const request =
      'POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n' +
      '0\r\n\r\n'
    expect(await responseTo(server, request)).toEqual([200, '5'])
  })

  test('streams a response, by an iterable and by write()', async () => {
    expect(await responseTo(server, get('/chunked'))).toEqual([200, 'one,two,three'])
    expect((await exchangeOnce(server, get('/big?size=2000000'))).body.length).toBe(2_000_000)
    expect((await exchangeOnce(server, get('/written?size=2000000'))).body.length).toBe(2_000_000)
  })

  test('answers HEAD without a body', async () => {
    const connection = await RawConnection.open(server)
    await connection.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await connection.readResponse('HEAD')).status).toBe(200)
    expect((await connection.request(get('/'))).text).toBe('hello\n')
    connection.close()
  })

  test('sends a file by wsgi.file_wrapper', async () => {
    const bytes = patternedBytes(300_000)
    file('sent', bytes)
    const { body } = await exchangeOnce(server, get('/file?name=sent'))
    expect(body.equals(bytes)).toBe(true)
  })

  test('answers 500 for an exception, with the traceback in the log', async () => {
    expect((await exchangeOnce(server, get('/raise-before'))).status).toBe(500)
    await server.waitForLog(/Traceback[\s\S]*plain\.py", line \d+[\s\S]*ValueError: raised before/)
  })

  test('closes the body of a client that leaves', async () => {
    const connection = await RawConnection.open(server)
    await connection.send(get('/endless?key=left'))
    await connection.readResponse('GET', { bodyless: true })
    connection.close()
    await waitFor('an answer', async () => (await exchangeOnce(server, get('/'))).status === 200)
    await waitFor('close()', async () => {
      const { status } = await exchangeOnce(server, get('/file?name=left.closed'))
      return status === 200
    })
  })

  test('counts what a client counts', async () => {
    const address = await metricsAddress(server)
    const before = await scrape(address)
    const targets = ['/', '/', '/whole?size=2000000', '/raise-before']
    let received = 0
    for (const target of targets) received += (await exchangeOnce(server, get(target))).body.length
    await exchangeOnce(server, post('/length', patternedBytes(70_000)))
    const now = await scrape(address)
    const by = (...which: Parameters<typeof now.sum>) => now.sum(...which) - before.sum(...which)
    expect(by('monoceros_requests_total', { status: '2xx' })).toBe(4)
    expect(by('monoceros_requests_total', { status: '5xx' })).toBe(1)
    expect(by('monoceros_request_application_seconds_count')).toBe(5)
    expect(by('monoceros_request_body_bytes_total')).toBe(70_000)
    expect(by('monoceros_response_body_bytes_total')).toBe(received + '70000'.length)
    expect(now.sum('monoceros_workers', { state: 'idle' })).toBe(1)
  })

  test('writes the access log', async () => {
    await exchangeOnce(server, get('/?logged'))
    await server.waitForLog(/"GET \/\?logged HTTP\/1\.1" 200 6/)
  })

  test('runs a gunicorn.conf.py, and its hooks in the worker', () => {
    expect(server.log()).toContain('Forked once')
  })

  test('loads the application and the configuration anew at HUP', async () => {
    configure('twice')
    expect(await responseTo(server, get('/generation'))).toEqual([200, '0'])
    file('generation', '7')
    server.signal('SIGHUP')
    await server.waitForLog(/Reloaded/, { timeout: 60_000 })
    expect(server.log()).toContain('Forked twice')
    await waitFor(
      'the new one',
      async () => (await exchangeOnce(server, get('/generation'))).text === '7',
    )
  })

  test('lets what is in flight finish at TERM', async () => {
    const connection = await RawConnection.open(server)
    await connection.send(get('/wait?key=last'))
    await waitFor('it to begin', () => existsInData('last.begun'))
    server.signal('SIGTERM')
    await server.waitForLog(/SIGTERM/)
    file('last.go', '')
    expect((await connection.readResponse()).status).toBe(200)
    expect(await server.exited).toEqual({ code: 0, signal: null })
  })
})

test('two embedded workers, of which one runs out of time: 504, and it answers again', async () => {
  const server = await startEmbedded('--workers', '2', '--timeout', '1')
  expect((await exchangeOnce(server, get('/stuck?where=first&key=stuck'))).status).toBe(504)
  await server.waitForLog(/stuck_in_the_first_place/)
  await waitFor('an answer', async () => (await exchangeOnce(server, get('/'))).status === 200)
})

test('an application that cannot be loaded on the embedded Python: status 3, and its traceback', async () => {
  const { code, stderr } = await runCommand(
    ['--runtime', 'pyodide', '--bind', '127.0.0.1:0', 'raises:app'],
    { cwd: join(appsDirectory, 'faulty'), timeout: 60_000 },
  )
  expect(code).toBe(3)
  expect(stderr).toMatch(/raises\.py", line \d+, in read_settings/)
})

test('`monoceros python` runs a program, with its arguments and its status', async () => {
  const { code, stdout } = await runCommand(
    ['python', '-c', 'import sys; print(sys.platform, sys.argv[1:]); sys.exit(7)', 'x'],
    { cwd: data.path, timeout: 60_000 },
  )
  expect([code, stdout]).toEqual([7, "emscripten ['x']\n"])
})

test('`monoceros install` refuses a mistake at once', async () => {
  const { code, stderr } = await runCommand(['install', '--no-such-flag'], { cwd: data.path })
  expect(code).toBe(2)
  expect(stderr).toContain('--no-such-flag')
})

test.skipIf(!hasPython())('Flask, from packages that another Python has installed', async () => {
  const server = await startServer({
    app: 'flask_app:app',
    cwd: appsDirectory,
    args: ['--runtime', 'pyodide', '--pythonpath', sitePackages()],
  })
  expect((await exchangeOnce(server, get('/'))).status).toBe(200)
})

test('pythonApp: an application on the embedded Python as a value', async () => {
  file(
    'valued.py',
    'def app(environ, start_response):\n    start_response("200 OK", [])\n    return [b"it"]\n',
  )
  const { pythonApp } = (await import(
    pathToFileURL(join(repository, 'dist', 'python-app', 'python-app.js')).href
  )) as typeof import('../../src/python-app/python-app.ts')
  const app = pythonApp('valued:app', { runtime: 'pyodide', chdir: data.path, log: () => {} })
  try {
    expect((await callForAnswer(app, { target: '/' })).body).toBe('it')
  } finally {
    await app.close()
  }
})
