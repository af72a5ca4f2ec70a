import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { KeepAliveClient } from '../support/keep-alive-client.ts'
import { childrenOf, isAlive, residentMemory } from '../support/processes.ts'
import {
  type RunningServer,
  runCommand,
  type ServerOptions,
  startServer,
} from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// `monoceros ./app.ts:app`: TypeScript applications in the acceptors' own processes.

const directory = join(appsDirectory, 'typescript')
const mebibyte = 1024 * 1024

function start(app = './app.ts:app', options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  return startServer({ app, cwd: directory, ...options })
}

async function textOf(server: RunningServer, path = '/', init?: RequestInit): Promise<string> {
  return (await fetch(server.url + path, init)).text()
}

describe('what is loaded', () => {
  test.each([
    ['a named export', './app.ts:app', /^pid/],
    ['the default export when no name is given', './app.ts', /^pid/],
    ['a path without ./', 'app.ts', /^pid/],
    ['an object with a method wsgi, by a dotted name', './app.ts:nested.greeter', /^nested$/],
    ['what a factory gives', './app.ts:create("hi", {"times": 2})', /^hihi$/],
    ['what a factory gives, with the quotes of Python', "./app.ts:create('hi')", /^hi$/],
    ['TypeScript that must be compiled', './enum.mts', /^enum$/],
  ])('%s', async (_, app, answer) => {
    const server = await start(app)
    expect((await textOf(server)).split('\n')[0]).toMatch(answer)
  })

  test.each(['js', 'mjs', 'cjs', 'mts'])('a file that ends in .%s', async (extension) => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    const code = `(environ, startResponse) => {
      startResponse('200 OK', [['Content-Type', 'text/plain']])
      return [new TextEncoder().encode('plain ' + environ.PATH_INFO)]
    }`
    if (extension === 'js') writeFileSync(join(path, 'package.json'), '{"type": "module"}')
    writeFileSync(
      join(path, `app.${extension}`),
      extension === 'cjs' ? `exports.app = ${code}` : `export const app = ${code}`,
    )
    const server = await start(`app.${extension}:app`, { cwd: path })
    expect(await textOf(server, '/x')).toBe('plain /x')
  })

  const mistakes: [string, string, RegExp][] = [
    ['a file that is not there', './absent.ts:app', /there is no file .*absent\.ts/],
    [
      'a name that is not exported',
      './app.ts:application',
      /exports no application \(it exports .*app.*\)/,
    ],
    [
      'something else than an application',
      './app.ts:notAnApplication',
      /is the number 42, which is not/,
    ],
    ['a name that is none', './app.ts:a b', /expected a name after the colon/],
    ['arguments that are no literals', './app.ts:create(x)', /must be literals/],
    [
      'something that cannot be called',
      './app.ts:nested()',
      /nested is an object and cannot be called/,
    ],
    ['a file with JSX', './app.tsx', /JSX has to be compiled first/],
    ['a URL of another host', 'file://elsewhere/app.ts', /Cannot load file:\/\/elsewhere/],
  ]
  test.each(mistakes)('%s is told in one line, and the status is 3', async (_, app, message) => {
    const { code, stderr } = await runCommand([app, '--bind', '127.0.0.1:0'], { cwd: directory })
    expect(code).toBe(3)
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/^ +at /m)
  })

  test('a module that throws is told with its stack', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    writeFileSync(join(path, 'app.mjs'), 'throw new Error("raised while loading")\n')
    const { code, stderr } = await runCommand(['app.mjs', '--bind', '127.0.0.1:0'], { cwd: path })
    expect(code).toBe(3)
    expect(stderr).toMatch(/raised while loading\n +at .*app\.mjs/)
  })

  test('a syntax error is told with its file and line', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    writeFileSync(join(path, 'app.mjs'), '\nthis is not JavaScript\n')
    const { code, stderr } = await runCommand(['app.mjs', '--bind', '127.0.0.1:0'], { cwd: path })
    expect(code).toBe(3)
    expect(stderr).toMatch(
      /app\.mjs:2\nthis is not JavaScript\n +\^+\n\nSyntaxError: Unexpected identifier/,
    )
    expect(stderr).not.toMatch(/^ +at /m)
  })

  test.each([
    [
      'what a compiler made of a default export',
      'app.cjs',
      'exports.__esModule = true; exports.default = APP',
    ],
    [
      'the same beside other exports',
      'app.cjs',
      'exports.__esModule = true; exports.x = 1; exports.default = APP',
    ],
    ['module.exports itself', 'app.cjs', 'module.exports = APP'],
    ['module.exports itself, in TypeScript', 'app.cts', 'module.exports = APP'],
    ['a default export in a folder with an odd name', 'a b#c%20é/app.ts', 'export default APP'],
  ])('%s is an application when no name is given', async (_, file, code) => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    mkdirSync(dirname(join(path, file)), { recursive: true })
    const app =
      "(environ, startResponse) => { startResponse('200 OK', []); return [Buffer.from('it')] " + '}'
    writeFileSync(join(path, file), code.replace('APP', app))
    const server = await start(file, { cwd: path })
    expect(await textOf(server)).toBe('it')
  })

  test('a CommonJS module that exports no object is told in one line', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    for (const [file, name, message] of [
      ['number.cts', ':app', /exports no app/],
      ['null.cts', '', /is null, which is not a WSGI application/],
    ] as const) {
      writeFileSync(join(path, file), `module.exports = ${file === 'null.cts' ? null : 42}`)
      const { code, stderr } = await runCommand([file + name, '--bind', '127.0.0.1:0'], {
        cwd: path,
      })
      expect(code).toBe(3)
      expect(stderr).toMatch(message)
      expect(stderr).not.toMatch(/^ +at /m)
    }
  })

  test('nothing that was compiled is taken from, or left in, a folder that others can write to', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    writeFileSync(
      join(path, 'app.ts'),
      'export const app = (environ: object, startResponse: Function) => { ' +
        "startResponse('200 OK', []); return [Buffer.from('it')] }",
    )
    const temporary = join(path, 'tmp')
    mkdirSync(temporary)
    const server = await start('app.ts', { cwd: path, env: { TMPDIR: temporary } })
    expect(await textOf(server)).toBe('it')
    expect(existsSync(join(temporary, 'jiti'))).toBe(false)
  })

  test.each([
    ['Express', 'const app = () => {}; app.listen = () => {}; export { app }', /fromNodeHandler/],
    ['a fetch handler', 'export const app = { fetch: () => {} }', /fromFetchHandler/],
  ])('an application of %s is told how to wrap it', async (_, code, message) => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    writeFileSync(join(path, 'app.mjs'), code)
    const { code: status, stderr } = await runCommand(['app.mjs:app', '--bind', '127.0.0.1:0'], {
      cwd: path,
    })
    expect(status).toBe(3)
    expect(stderr).toMatch(message)
  })
})

describe('requests', () => {
  let server: RunningServer
  let events: string
  beforeAll(async () => {
    const { path, remove } = temporaryDirectory()
    afterAll(remove)
    events = join(path, 'events')
    server = await start('./app.ts:app', {
      args: ['--access-logfile', '-', '--limit-request-body', '64M', '--root-path', '/shop'],
      env: { TEST_EVENTS: events },
    })
  })
  const seen = () => (existsSync(events) ? readFileSync(events, 'utf8').trim().split('\n') : [])

  test('the environ has what PEP 3333 asks for', async () => {
    const response = await fetch(`${server.url}/shop/environ?a=%20b`, { headers: { 'X-Two': 'x' } })
    const environ = (await response.json()) as Record<string, unknown>
    expect(environ).toMatchObject({
      REQUEST_METHOD: 'GET',
      SCRIPT_NAME: '/shop',
      PATH_INFO: '/environ',
      QUERY_STRING: 'a=%20b',
      SERVER_PORT: String(server.port),
      SERVER_PROTOCOL: 'HTTP/1.1',
      REMOTE_ADDR: '127.0.0.1',
      HTTP_X_TWO: 'x',
      'wsgi.version': [1, 0],
      'wsgi.url_scheme': 'http',
      'wsgi.multithread': false,
      'wsgi.multiprocess': false,
    })
  })

  test('a list of pieces goes out whole, with its length', async () => {
    const response = await fetch(server.url)
    expect(await response.text()).toMatch(/^pid \d+\nGET\n$/)
    expect(response.headers.get('content-length')).not.toBeNull()
    expect(response.headers.get('server')).toBe('monoceros')
  })

  test('HEAD has no body', async () => {
    const response = await fetch(server.url, { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('')
  })

  test('an upload that nobody reads does not cost the connection', async () => {
    const client = await KeepAliveClient.open(server)
    for (let n = 0; n < 3; n++) {
      const head = 'POST /ignores-body HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n'
      const answer = await client.request(`${head}body`)
      expect(answer).toMatchObject({ status: 200, body: 'ignored\n', closes: false })
    }
    client.close()
  })

  test('a client that waits for 100 Continue gets it when the application reads', async () => {
    const socket = connect(server.port, '127.0.0.1')
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
      if (received === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write('12345')
    })
    socket.write(
      'POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
    )
    await waitFor('the answer', () => received.endsWith('5\n'))
    socket.destroy()
  })

  test('a request and a response are streamed at the same time', async () => {
    const answer: string[] = []
    const request = httpRequest(`${server.url}/echo`, { method: 'POST' })
    request.on('response', (response) => {
      response.on('data', (chunk: Buffer) => answer.push(chunk.toString()))
      response.on('end', () => answer.push('end'))
    })
    request.write('one')
    await waitFor('the first piece', () => answer.join('') === 'one')
    request.write('two')
    await waitFor('the second', () => answer.join('') === 'onetwo')
    request.end()
    await waitFor('the end', () => answer.at(-1) === 'end')
  })

  test('a chunked body over the limit is answered 413', async () => {
    // More than the limit, but not without end: where nobody takes it any more, it would fill the
    // memory of the test before fetch() notices.
    let sent = 0
    const body = new ReadableStream({
      pull: (controller) => {
        if (sent === 128) return controller.close()
        sent++
        controller.enqueue(new Uint8Array(mebibyte))
      },
    })
    const status = await fetch(`${server.url}/count`, {
      method: 'POST',
      body,
      duplex: 'half',
    } as RequestInit).then(
      (response) => response.status,
      () => 413, // the connection was closed while it was still sending
    )
    expect(status).toBe(413)
    await server.waitForLog(/with 413: the body is longer than limit_request_body.* \[MONO4022\]/)
  })

  test('a client that leaves closes the body, also one that waits for something that never comes', async () => {
    const aborted = new AbortController()
    const response = await fetch(`${server.url}/endless`, { signal: aborted.signal })
    await response.body!.getReader().read()
    aborted.abort()
    await waitFor('close()', () => seen().includes('close'))
    expect(seen()).toEqual(['begun', 'close'])
  })

  test('an error before the head is a 500, with the stack in the log and nothing of ours in it', async () => {
    const from = server.log().length
    expect((await fetch(`${server.url}/throw`)).status).toBe(500)
    await server.waitForLog(
      /Error handling request "GET \/throw HTTP\/1.1" \[MONO4001\]\nError: thrown on purpose\n +at .*app\.ts/,
      {
        from,
      },
    )
    expect(server.log().slice(from)).not.toContain('dist/gateway')
  })

  test('an error in the middle cuts the response off', async () => {
    const from = server.log().length
    await expect(textOf(server, '/throw-in-body')).rejects.toThrow()
    await server.waitForLog(
      /GET \/throw-in-body .*failed in the middle of its response \[MONO4002\]\nError: thrown in the middle/,
      {
        from,
      },
    )
  })

  test('a header that would forge another is refused, and the rule named', async () => {
    const from = server.log().length
    const response = await fetch(`${server.url}/bad-header`)
    expect(response.status).toBe(500)
    expect(response.headers.has('x-forged')).toBe(false)
    await server.waitForLog(/value of X-Split has a control character.*PEP 3333/, { from })
  })

  test('wsgi.errors is a part of the error log', async () => {
    expect((await fetch(`${server.url}/errors`)).status).toBe(204)
    await server.waitForLog(/\[\d+\] .*a complaint/)
  })

  test('the access log has the request', async () => {
    await textOf(server, '/?logged')
    await server.waitForLog(/"GET \/\?logged HTTP\/1\.1" 200 \d+/)
  })

  test('a generator that always has more leaves the others their turn', async () => {
    const download = fetch(`${server.url}/download?size=${128 * mebibyte}`).then(
      async (response) => {
        let size = 0
        for await (const chunk of response.body!) size += chunk.length
        return size
      },
    )
    let answered = 0
    let done = false
    const all = download.finally(() => {
      done = true
    })
    while (!done) {
      await textOf(server)
      answered++
    }
    expect(await all).toBe(128 * mebibyte)
    expect(answered).toBeGreaterThan(3)
  })

  test('64 MB each way leave its memory as it is', async () => {
    const size = 64 * mebibyte
    // Without a limit of the body's size.
    const other = await start()
    const [acceptor] = childrenOf(other.pid)
    const transfer = async () => {
      let sent = 0
      const body = new ReadableStream({
        pull: (controller) => {
          if (sent === size) return controller.close()
          sent += mebibyte
          controller.enqueue(new Uint8Array(mebibyte))
        },
      })
      const init = { method: 'POST', body, duplex: 'half' } as RequestInit
      let received = 0
      for await (const chunk of (await fetch(`${other.url}/echo`, init)).body!)
        received += chunk.length
      return received
    }
    expect(await transfer()).toBe(size)
    const resident = residentMemory(acceptor!)
    expect(await transfer()).toBe(size)
    expect(residentMemory(acceptor!) - resident).toBeLessThan(32 * mebibyte)
  })
})

describe('processes', () => {
  const pidOf = async (server: RunningServer) => Number(/pid (\d+)/.exec(await textOf(server))?.[1])

  test('there are as many acceptors as workers, and TTIN and TTOU change that', async () => {
    const server = await start('./app.ts:app', { args: ['--workers', '2'] })
    expect(childrenOf(server.pid).length).toBe(2)
    server.signal('SIGTTIN')
    await waitFor('a third', () => childrenOf(server.pid).length === 3)
    server.signal('SIGTTOU')
    // Two signals of a kind at once may be one.
    await waitFor('two', () => childrenOf(server.pid).length === 2)
    server.signal('SIGTTOU')
    await waitFor('one', () => childrenOf(server.pid).length === 1)
    expect(await textOf(server)).toMatch(/^pid/)
  })

  test('one that is killed is replaced', async () => {
    const server = await start()
    const pid = await pidOf(server)
    process.kill(pid, 'SIGKILL')
    await waitFor('another', () => childrenOf(server.pid).some((child) => child !== pid))
    await waitFor('an answer', async () => (await pidOf(server)) !== pid)
  })

  test('one with an error that nobody caught finishes what it has and is replaced', async () => {
    const server = await start()
    expect(await textOf(server, '/uncaught')).toBe('soon\n')
    await server.waitForLog(
      /Uncaught error in the application; replacing its process \[MONO5107\]\nError: thrown where nobody catches/,
    )
    await waitFor('an answer', () => textOf(server).then((text) => text.startsWith('pid')))
  })

  test('one that does not let go is ended after the timeout', async () => {
    const server = await start('./app.ts:app', { args: ['--timeout', '3'] })
    const pid = await pidOf(server)
    await expect(fetch(`${server.url}/hang`)).rejects.toThrow()
    await server.waitForLog(
      new RegExp(`Acceptor ${pid}: the application blocked the event loop.* \\[MONO5105\\]`),
    )
    // Till it is gone, who asks on a connection of its may lose it.
    await waitFor('an answer', async () => (await pidOf(server).catch(() => pid)) !== pid)
  })

  test('one that has answered max_requests is replaced', async () => {
    const server = await start('./app.ts:app', { args: ['--max-requests', '3'] })
    const pid = await pidOf(server)
    await waitFor('another', async () => (await pidOf(server)) !== pid)
    await waitFor('the end of the first', () => !isAlive(pid))
  })

  test('one that has answered max_requests serves until its replacement does', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    const file = join(path, 'app.mjs')
    const write = (text: string) =>
      writeFileSync(
        file,
        "export const app = (environ, startResponse) => { startResponse('200 OK', []); " +
          `return [Buffer.from('${text}')] }`,
      )
    write('old')
    const server = await start('app.mjs:app', { cwd: path, args: ['--max-requests', '2'] })
    writeFileSync(file, 'this is not JavaScript')
    for (let i = 0; i < 3; i++) expect(await textOf(server)).toBe('old')
    await server.waitForLog(/could not start; starting a replacement/)
    expect(await textOf(server)).toBe('old')
    write('new')
    await waitFor('the replacement', async () => (await textOf(server)) === 'new')
    await waitFor('the end of the first', () => childrenOf(server.pid).length === 1)
  })

  test.each([
    ['reload', [], (server: RunningServer) => server.signal('SIGHUP')],
    ['replacement by max_requests', ['--max-requests', '2'], () => {}],
    ['worker less', ['--workers', '2'], (server: RunningServer) => server.signal('SIGTTOU')],
  ] as const)('a %s costs no request on a connection that is kept', async (_, args, provoke) => {
    const server = await start('./app.ts:app', { args: [...args, '--keep-alive', '60'] })
    const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
    // Each process has some: on a busy machine one may have accepted the first dozen.
    const clients: KeepAliveClient[] = []
    const last = new Set<KeepAliveClient>()
    const served = new Set<string>()
    await waitFor(
      'each process to have a client',
      async () => {
        const more = await Promise.all(
          Array.from({ length: 12 }, () => KeepAliveClient.open(server)),
        )
        clients.push(...more)
        for (const client of more) {
          const answer = await client.request(request)
          expect(answer).toMatchObject({ status: 200 })
          served.add(answer.body)
          if (answer.closes) last.add(client)
        }
        return served.size >= (args[0] === '--workers' ? 2 : 1)
      },
      40_000,
    )
    provoke(server)
    await waitFor(
      'one to be told that it is the last request, and no request lost until then',
      async () => {
        for (const client of clients) {
          if (!last.has(client) && (await client.request(request)).closes) last.add(client)
        }
        return last.size > 0 && (args.length > 0 || last.size === clients.length)
      },
    )
    for (const client of clients) client.close()
  })

  test('TERM while one is being replaced does not wait for idle connections', async () => {
    const server = await start('./app.ts:app', { args: ['--keep-alive', '60'] })
    const client = await KeepAliveClient.open(server)
    await client.request('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    server.signal('SIGHUP')
    await server.waitForLog(/Reloaded/)
    server.signal('SIGTERM')
    // Idle connections would keep it for 60 s (--keep-alive), graceful_timeout for 30.
    await waitFor('the end', () => !isAlive(server.pid), 25_000)
  })

  test('those that serve are not taken for stuck when it was the arbiter that was stopped', async () => {
    // Long enough for a busy machine to let it say in time that it is alive.
    const server = await start('./app.ts:app', { args: ['--timeout', '3'] })
    const pid = await pidOf(server)
    process.kill(server.pid, 'SIGSTOP')
    // more than the timeout: it is what is tried
    await new Promise((resolve) => setTimeout(resolve, 3500))
    process.kill(server.pid, 'SIGCONT')
    server.signal('SIGUSR1')
    await server.waitForLog(/SIGUSR1/)
    await new Promise((resolve) => setTimeout(resolve, 600)) // two looks
    expect(await pidOf(server)).toBe(pid)
    expect(server.log()).not.toMatch(/killing the process/)
  })

  test('an application that speaks to whoever has started it does not disturb the arbiter', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    writeFileSync(
      join(path, 'app.mjs'),
      `for (const message of [null, 'ready', { type: 'ready' }]) process.send?.(message)
      export const app = (environ, startResponse) => { startResponse('200 OK', []); return [Buffer.from('it')] }`,
    )
    const server = await start('app.mjs:app', { cwd: path })
    expect(await textOf(server)).toBe('it')
    expect(server.log()).not.toMatch(/report it/)
  })

  test('one that throws again and again finishes what it has, and is not started anew in a hurry', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    writeFileSync(
      join(path, 'app.mjs'),
      `setTimeout(() => setInterval(() => { throw new Error('at every tick') }, 10), 300)
      export const app = async (environ, startResponse) => {
        await new Promise((resolve) => setTimeout(resolve, 600))
        startResponse('200 OK', [])
        return [Buffer.from('finished')]
      }`,
    )
    const server = await start('app.mjs:app', { cwd: path })
    expect(await textOf(server)).toBe('finished')
    await server.waitForLog(/starting a replacement in 0\.2 s/)
    expect(server.log()).not.toMatch(/report it/)
  })

  test('HUP loads the application anew', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    const write = (text: string) =>
      writeFileSync(
        join(path, 'app.mjs'),
        "export const app = (environ, startResponse) => { startResponse('200 OK', []); " +
          `return [Buffer.from('${text}')] }`,
      )
    write('old')
    const server = await start('app.mjs:app', { cwd: path })
    expect(await textOf(server)).toBe('old')
    write('new')
    server.signal('SIGHUP')
    await server.waitForLog(/Reloaded/)
    // A connection that was kept has one more request.
    await waitFor('the new one', async () => (await textOf(server)) === 'new')
    for (let i = 0; i < 3; i++) expect(await textOf(server)).toBe('new')
  })

  test('a reload of an application that does not load any more keeps what serves', async () => {
    const { path, remove } = temporaryDirectory()
    onTestFinished(remove)
    const file = join(path, 'app.mjs')
    writeFileSync(
      file,
      "export const app = (environ, startResponse) => { startResponse('200 OK', []); " +
        "return [Buffer.from('old')] }",
    )
    const server = await start('app.mjs:app', { cwd: path })
    writeFileSync(file, 'this is not JavaScript')
    server.signal('SIGHUP')
    await server.waitForLog(/Reload failed; the previous application and settings stay in use/)
    expect(await textOf(server)).toBe('old')
  })
})
