import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { appsDirectory, patternedBytes, temporaryDirectory } from '../support/applications.ts'
import { commandPath, repository } from '../support/build.ts'
import { ensureNode } from '../support/newer-node.ts'
import { get, post } from '../support/plain-application.ts'
import { waitUntilGone } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { withoutSlowStarts } from '../support/slow-starts.ts'
import { tlsArguments } from '../support/test-certificate-files.ts'
import { waitFor } from '../support/wait-for.ts'

// The suite runs on the Node that runs it; this file runs the server on the others that are in use.
// The server uses things that Node does not document (src/transport/node-internals.ts): it is here
// that a new Node shows.

/** Release lines newer than the oldest that is supported. */
const majors = [22, 24, 26]

const binaries = new Map<number, string>()
const failures = new Map<number, string>()

beforeAll(async () => {
  if (!hasPython()) return
  const installed = majors.map((major) =>
    ensureNode(major).then((path) => binaries.set(major, path)),
  )
  for (const [index, result] of (await Promise.allSettled(installed)).entries()) {
    if (result.status === 'rejected') failures.set(majors[index]!, String(result.reason))
  }
}, 300_000)

describe.skipIf(!hasPython()).each(majors)('on Node %i', (major) => {
  test('serves, reloads and stops, and Node prints no warning', async ({ skip }) => {
    const node = binaries.get(major) ?? skip(whyNot(major))
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    const socketPath = join(directory.path, 'server.sock')
    const server = await startOn(node, directory.path, socketPath)
    expect(nodeThatRuns(server.pid)).toBe(node)

    const connection = await RawConnection.open(server)
    expect((await connection.request(get('/'))).text).toBe('hello\n')
    expect((await connection.request(post('/length', 'four'))).text).toBe('4')
    // Over request_buffer_size: through a temporary file.
    expect((await connection.request(post('/length', patternedBytes(2_000_000)))).text).toBe(
      '2000000',
    )

    const streamed = await connection.request(get('/chunked'))
    expect([streamed.framing, streamed.text]).toEqual(['chunked', 'one,two,three'])
    // More than the window, so that credit has to flow back.
    const large = await connection.request(get('/big?size=3000000'))
    expect([large.complete, large.body.length]).toEqual([true, 3_000_000])

    const local = await RawConnection.open({ socketPath, host: 'localhost', port: 0 })
    expect((await local.request(get('/'))).text).toBe('hello\n')

    // Over TLS, where more of what Node does not document is used.
    const secure = await RawConnection.open(securePlace(server))
    expect((await secure.request(get('/'))).text).toBe('hello\n')
    expect((await secure.request(post('/length', patternedBytes(2_000_000)))).text).toBe('2000000')
    const whole = await secure.request(get('/big?size=3000000'))
    expect([whole.complete, whole.body.length]).toEqual([true, 3_000_000])
    writeFileSync(join(directory.path, 'cut.go'), '')
    const request = 'GET /raise-after?key=cut HTTP/1.0\\r\\n\\r\\n'
    const cut = ['127.0.0.1', `${securePlace(server).port}`, request]
    const client = join(repository, 'tests', 'support', 'tls-client.py')
    expect(execFileSync(testPython().executable, [client, ...cut], { encoding: 'utf8' })).toMatch(
      / cut$/m,
    )
    secure.close()

    const before = server.workers()
    const logged = server.log().length
    server.signal('SIGHUP')
    await server.waitForLog(/Reloaded/, { from: logged })
    await waitFor('new workers', () => {
      const now = server.workers()
      return now.length === before.length && now.every((pid) => !before.includes(pid))
    })
    expect((await connection.request(get('/'))).text).toBe('hello\n')

    // A connection that is kept half open by its client would be waited for.
    connection.close()
    local.close()
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(existsSync(socketPath)).toBe(false)
    expect(withoutSlowStarts(server.log())).not.toMatch(/Warning|\(node:\d+\)|Deprecat/i)
  })

  test('serves TypeScript, with its own type stripping, and Express in it', async ({ skip }) => {
    const node = binaries.get(major) ?? skip(whyNot(major))
    const server = await runServer({
      ...shared,
      command: node,
      args: [commandPath, '-b', '127.0.0.1:0', './newer.ts:app'],
      env: cleanEnvironment(),
      cwd: join(appsDirectory, 'typescript'),
      isReady: (log) => /Listening at \S+.*\n/.test(log),
    })
    expect(await (await fetch(`${server.url}/x`)).text()).toMatch(
      new RegExp(`^node ${major}\\.\\S+ /x\n$`),
    )
    const page = await fetch(`${server.url}/legacy/page`, {
      headers: { 'Accept-Encoding': 'gzip' },
    })
    expect(page.headers.get('content-encoding')).toBe('gzip')
    expect((await page.text()).length).toBe('a page of Express '.length * 200)
    const headers = { 'Content-Type': 'application/json' }
    const echo = await fetch(`${server.url}/legacy/echo`, {
      method: 'POST',
      headers,
      body: '{"a":[1]}',
    })
    expect(await echo.json()).toEqual({ a: [1] })
    const stream = await fetch(`${server.url}/legacy/stream`, {
      headers: { 'Accept-Encoding': 'identity' },
    })
    expect((await stream.arrayBuffer()).byteLength).toBe(64 * 65_536)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })
})

describe.skipIf(!hasPython()).each(majors)('on Node %i', (major) => {
  test('shows where an application blocks the event loop, before it is ended', async ({ skip }) => {
    const node = binaries.get(major) ?? skip(whyNot(major))
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    writeFileSync(
      join(directory.path, 'app.mjs'),
      'export const app = () => blockForEver()\nfunction blockForEver() {\n  for (;;) {}\n}\n',
    )
    const server = await runServer({
      ...shared,
      command: node,
      // Long enough for a busy machine to ask the process where it stands.
      args: [commandPath, '-b', '127.0.0.1:0', '--timeout', '3', './app.mjs:app'],
      env: cleanEnvironment(),
      cwd: directory.path,
      isReady: (log) => /Listening at \S+.*\n/.test(log),
    })
    const blocked = fetch(server.url).catch(() => {})
    await server.waitForLog(
      /blocked the event loop for more than .*\n {4}at blockForEver \(file:.*\/app\.mjs:3:\d+\)\n {4}at app/,
      { timeout: 30_000 },
    )
    await blocked
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(withoutSlowStarts(server.log())).not.toMatch(/Warning|\(node:\d+\)|Deprecat/i)
  })
})

describe.skipIf(!hasPython()).each(majors)('an upgrade to Node %i', (major) => {
  test('takes the node that PATH leads to by then, and shares its port there', async ({ skip }) => {
    const node = binaries.get(major) ?? skip(whyNot(major))
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    const link = join(directory.path, 'node')
    const command = join(directory.path, 'monoceros')
    const pidfile = join(directory.path, 'pid')
    symlinkSync(process.execPath, link)
    symlinkSync(commandPath, command)
    const environment = cleanEnvironment()
    const old = await runServer({
      ...shared,
      command: 'env',
      args: ['node', command, '-b', '127.0.0.1:0', '--reuse-port', '--pid', pidfile, 'plain:app'],
      env: {
        ...environment,
        PATH: `${directory.path}:${environment.PATH}`,
        TEST_DATA: directory.path,
      },
      cwd: appsDirectory,
      isReady: (log) => /Listening at \S+.*\n/.test(log),
    })
    rmSync(link)
    symlinkSync(node, link)
    old.signal('SIGUSR2')
    await old.waitForLog(/serves too/)
    const next = Number(readFileSync(`${pidfile}.2`))
    onTestFinished(() => waitUntilGone(next))
    expect(nodeThatRuns(next)).toBe(node)
    old.signal('SIGTERM')
    await old.exited
    const connection = await RawConnection.open(old)
    expect((await connection.request(get('/'))).text).toBe('hello\n')
    connection.close()

    // On this Node, without the help of Python.
    const other = await runServer({
      ...shared,
      command: node,
      args: [commandPath, '-b', `127.0.0.1:${old.port}`, '--reuse-port', 'plain:app'],
      env: { ...environment, TEST_DATA: directory.path },
      cwd: appsDirectory,
      isReady: (log) => /Listening at \S+.*\n/.test(log),
    })
    expect(await other.stop()).toEqual({ code: 0, signal: null })
    process.kill(next, 'SIGTERM')
    await waitUntilGone(next)
    expect(withoutSlowStarts(old.log())).not.toMatch(/Warning|\(node:\d+\)|Deprecat/i)
  })
})

/** Why there is no Node of that release line; on CI that is a failure. */
function whyNot(major: number): string {
  const reason = failures.get(major) ?? 'unknown'
  if (process.env.CI) throw new Error(`npm could not install Node ${major}: ${reason}`)
  const [cause] = reason.split('\n')
  const note = `NOT TESTED on Node ${major}, because npm could not install it: ${cause}`
  console.warn(`\n*** ${note}\n`)
  return note
}

const shared = {
  findAddresses: (log: string) =>
    [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
  isWorker: (commandLine: string) => commandLine.includes('monoceros-worker'),
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, VIRTUAL_ENV: testPython().prefix }
  // vitest's own: with it, or with warnings switched off, nothing could be seen here.
  for (const name of ['NODE_OPTIONS', 'NODE_NO_WARNINGS', 'NODE_ENV', 'WEB_CONCURRENCY', 'PORT'])
    delete env[name]
  return env
}

function startOn(node: string, data: string, socketPath: string): Promise<RunningServer> {
  return runServer({
    ...shared,
    command: node,
    args: [
      commandPath,
      ...['-b', '127.0.0.1:0', '-b', `unix:${socketPath}`, '-b', 'tls:127.0.0.1:0'],
      ...[...tlsArguments(), '-w', '2', 'plain:app'],
    ],
    env: { ...cleanEnvironment(), TEST_DATA: data },
    cwd: appsDirectory,
    isReady: (log) => log.match(/Listening at \S+.*\n/g)?.length === 3,
  })
}

/** Where it speaks HTTPS. */
function securePlace(server: RunningServer): { port: number; secure: true } {
  return { port: Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(server.log())![1]), secure: true }
}

/** The program of a process: proof that the server really is on that Node. */
function nodeThatRuns(pid: number): string {
  return execFileSync('readlink', [`/proc/${pid}/exe`], { encoding: 'utf8' }).trim()
}
