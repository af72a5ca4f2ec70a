/** `monoceros ctl` and `monoceros top` against running servers. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, statSync, writeFileSync } from 'node:fs'
import { type ClientRequest, createServer, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { shownBy } from '../support/control.ts'
import { profileUnderWay } from '../support/interrupted-profile.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runCommand, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

const APPLICATION = `import os, time, traceback

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/wait":
        while not os.path.exists("go"):
            time.sleep(0.01)
    if path == "/boom":
        raise RuntimeError("a reason to look")
    if path == "/logged":
        try:
            {}["price"]
        except KeyError:
            environ["wsgi.errors"].write("ERROR on /logged\\n" + traceback.format_exc())
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
`

const isRoot = process.getuid?.() === 0

type Answer = { status: number; reply: Record<string, unknown> }

/** Asks over HTTP on a unix socket. The reply is empty if it is not JSON. */
function ask(
  socketPath: string,
  method: string,
  path: string,
  body = '',
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, method, path, headers }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      const reply = text.startsWith('{') ? JSON.parse(text) : {}
      resolve({ status: response.statusCode!, reply })
    })
    asking.on('error', reject)
    asking.end(body)
  })
}

describe.skipIf(!hasPython())('a running server', () => {
  const directories = [temporaryDirectory(), temporaryDirectory()] as const
  const [folder, runtime] = [directories[0].path, directories[1].path]
  const env = { MONOCEROS_RUNTIME_DIR: join(runtime, 'own') }
  const application = join(folder, 'shop.py')
  const metrics = join(runtime, 'metrics.sock')
  const token = 'a-token-of-32-characters-exactly'
  let server: RunningServer

  const ctl = (...args: string[]) => runCommand(['ctl', ...args], { env, cwd: folder })
  const asked = async (...args: string[]) => JSON.parse((await ctl(...args, '--json')).stdout)
  const shown = (wanted: RegExp, ...args: string[]) => shownBy(ctl, wanted, ...args)

  beforeAll(async () => {
    writeFileSync(application, APPLICATION)
    writeFileSync(join(folder, 'token'), `${token}\n`, { mode: 0o600 })
    server = await startServer({
      app: 'shop:app',
      args: [
        ...['--workers', '2', '--pid', 'shop.pid'],
        ...['--metrics-bind', `unix:${metrics}`, '--control-token-file', 'token'],
      ],
      env,
      cwd: folder,
    })
  })

  afterAll(() => {
    for (const { remove } of directories) remove()
  })

  test('is found by itself, and nobody else may enter its folder or write to its socket', async () => {
    const status = await shown(/Workers +2 of 2 serve, 0 busy/, 'status')
    expect(status).toMatch(/^shop:app is serving \(Monoceros [\d.]+, process \d+, for /)
    const socket = join(env.MONOCEROS_RUNTIME_DIR, `${server.pid}.sock`)
    expect(statSync(socket).mode & 0o777).toBe(0o600)
    expect(statSync(join(socket, '..')).mode & 0o777).toBe(0o700)
  })

  test.skipIf(!isRoot)('another user cannot connect, even by the path', async () => {
    const own = env.MONOCEROS_RUNTIME_DIR
    const script = `import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    socket.socket(socket.AF_UNIX).connect(sys.argv[1])
    print("connected")
except OSError as error:
    print(error.strerror)`
    const attempt = async () => {
      const socket = join(own, `${server.pid}.sock`)
      const child = spawn('/usr/bin/python3', ['-c', script, socket])
      let text = ''
      for await (const chunk of child.stdout) text += chunk
      return text.trim()
    }
    chmodSync(runtime, 0o755)
    expect(await attempt()).toBe('Permission denied')
    // The socket's own mode is enough; and the command uses no folder that others can enter.
    chmodSync(own, 0o755)
    expect(await attempt()).toBe('Permission denied')
    expect((await ctl('status')).code).toBe(3)
    chmodSync(own, 0o700)
  })

  test('shows the request that a worker works on, its age, and not its query', async () => {
    const answer = fetch(`${server.url}/wait?token=secret`)
    const requests = await waitFor('the request', async () => {
      const { requests } = await asked('requests')
      return requests.length > 0 && requests
    })
    expect(requests).toMatchObject([{ request: 'GET /wait', state: 'running' }])
    expect(requests[0].seconds).toBeGreaterThanOrEqual(0)
    expect(server.workers()).toContain(requests[0].worker)
    const workers = await shown(/GET \/wait for \d/, 'workers', '--pid-file', 'shop.pid')
    expect(workers).toContain(`${requests[0].worker}`)
    writeFileSync(join(folder, 'go'), '')
    expect(await (await answer).text()).toBe('hello')
  })

  test('has its newest errors with their tracebacks, and where its settings come from', async () => {
    expect((await fetch(`${server.url}/boom`)).status).toBe(500)
    await shown(/RuntimeError: a reason to look/, 'errors')
    expect((await fetch(`${server.url}/logged`)).status).toBe(200)
    await shown(/\[STDERR\] ERROR on \/logged\nTraceback [\s\S]*KeyError: 'price'/, 'errors')
    const { settings } = await asked('config')
    const named = new Map(settings.map((one: { name: string }) => [one.name, one]))
    expect(named.get('workers')).toEqual({ name: 'workers', value: 2, source: '--workers' })
    expect(named.get('timeout')).toMatchObject({ source: null })
  })

  test('scales, changes the level of its log, and replaces a worker that is named', async () => {
    expect((await ctl('scale', '3')).stdout).toBe('Changing to 3 workers\n')
    await waitFor('a third worker', () => server.workers().length === 3)
    expect((await ctl('log-level', 'debug')).stdout).toContain('it was info')
    const [worker] = server.workers()
    expect((await ctl('restart', String(worker))).code).toBe(0)
    await server.waitForLog(new RegExp(`replaces worker ${worker}, which was restarted by`))
    await waitFor('three others', () => {
      const workers = server.workers()
      return workers.length === 3 && !workers.includes(worker!)
    })
    const refused = await ctl('restart', '4194303')
    expect(refused).toMatchObject({ code: 5 })
    expect(refused.stderr).toBe(
      'monoceros ctl: No worker or acceptor that serves is process 4194303 [MONO6010]\n',
    )
  })

  test('reload waits, and has the reason of a failure; the next one ends the debug level', async () => {
    writeFileSync(application, 'raise ImportError("broken on purpose")\n')
    const failed = await ctl('reload')
    expect(failed.code).toBe(1)
    expect(failed.stderr).toContain('ImportError: broken on purpose')
    const { lastReload, state } = await asked('status')
    expect(lastReload).toMatchObject({ result: 'failed', cause: 'monoceros ctl' })
    expect(lastReload.reason).toContain('broken on purpose')
    expect(state).toBe('serving')
    writeFileSync(application, APPLICATION)
    expect((await ctl('reload')).stdout).toMatch(/^Reloaded in [\d.]+ s; generation 2\n$/)
    expect((await asked('status')).logLevel).toBe('info')
  })

  test('a killed worker is a restart with its cause', async () => {
    process.kill(server.workers()[0]!, 'SIGKILL')
    const { restarts, restartCounts } = await waitFor('the restart', async () => {
      const status = await asked('status')
      return status.restarts.some(({ cause }: { cause: string }) => cause === 'crashed') && status
    })
    expect(restarts.at(-1)).toMatchObject({
      kind: 'worker',
      reason: 'killed by SIGKILL (perhaps out of memory)',
    })
    expect(restartCounts).toMatchObject({ crashed: 1, recycled: 1 })
  })

  test('top shows it in a terminal, without colours if they are not wanted, until q', async () => {
    const script = `import os, pty, select, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.environ["NO_COLOR"] = "1"
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
pressed = False
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if not pressed and b"q quit" in seen:
        pressed = True
        os.write(terminal, b"q")
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`
    const args = ['-c', script, process.execPath, commandPath, 'top']
    const child = spawn(testPython().executable, args, { env: { ...process.env, ...env } })
    onTestFinished(() => void child.kill('SIGKILL'))
    let seen = ''
    for await (const chunk of child.stdout) seen += chunk
    expect(seen).toContain('shop:app: serving for')
    expect(seen).toMatch(/\bworker +\d+ +serving/)
    const start = '\u001b'
    expect(seen).not.toContain(`${start}[1m`)
    // The screen of before, and the cursor.
    expect(seen.trimEnd().endsWith(`${start}[?25h${start}[?1049l`)).toBe(true)
    await waitFor('its exit', () => child.exitCode !== null)
    expect(child.exitCode).toBe(0)
  })

  test('answers HTTP, names its version, and says what is wrong in one line', async () => {
    const path = join(env.MONOCEROS_RUNTIME_DIR, `${server.pid}.sock`)
    const call = (method: string, route: string, body = '') => ask(path, method, route, body)
    expect(await call('GET', '/status')).toMatchObject({
      status: 200,
      reply: { protocol: 1, pid: server.pid, generation: 2 },
    })
    const wrong: [string, string, string, number, string][] = [
      ['GET', '/reload', '', 405, 'bad-method'],
      ['POST', '/status', '', 405, 'bad-method'],
      ['GET', '/nothing', '', 404, 'not-found'],
      ['GET', '/__proto__', '', 404, 'not-found'],
      ['POST', '/scale', '', 400, 'bad-request'],
      ['POST', '/scale', '{"workers":0}', 400, 'bad-request'],
      ['POST', '/scale', '{"workers":1e9}', 400, 'bad-request'],
      ['POST', '/scale', '[1]', 400, 'bad-request'],
      ['POST', '/restart', '{"pid":"x"}', 400, 'bad-request'],
      ['POST', '/log-level', '{"level":"loud"}', 400, 'bad-request'],
      ['POST', '/stop', '{"mode":"slow"}', 400, 'bad-request'],
    ]
    for (const [method, route, body, status, code] of wrong)
      expect([route, await call(method, route, body)]).toMatchObject([
        route,
        { status, reply: { error: { code } } },
      ])
  })

  test('a request that is too long, breaks off or never comes costs only its connection', async () => {
    const path = join(env.MONOCEROS_RUNTIME_DIR, `${server.pid}.sock`)
    const head = 'POST /scale HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n'
    const given = async (write: (socket: Socket) => void) => {
      const socket = connect(path)
      socket.resume().on('error', () => {})
      await once(socket, 'connect')
      write(socket)
      await waitFor('its end', () => socket.closed)
    }
    await given((socket) => void socket.write(head + 'x'.repeat(1024 * 1024)))
    await given((socket) => void socket.end(`${head}x`))
    await given((socket) => void socket.write(head, () => socket.destroy()))
    await given((socket) => void socket.write('no HTTP at all\r\n\r\n'))
    // Only so many at a time; the others are closed, and the server goes on.
    const silent = Array.from({ length: 100 }, () =>
      connect(path)
        .resume()
        .on('error', () => {}),
    )
    await waitFor('most of them to be closed', () => silent.filter((one) => one.closed).length > 60)
    expect((await ctl('status')).code).toBe(4)
    for (const socket of silent) socket.destroy()
    await waitFor('an answer', async () => (await ctl('status')).code === 0)
  })

  test('the same is on the metrics bind, only with the token and a host of its own', async () => {
    const bearer = { Authorization: `Bearer ${token}` }
    const scale = (headers: Record<string, string>) =>
      ask(metrics, 'POST', '/control/scale', '{"workers":3}', headers)
    for (const headers of [
      {},
      { Authorization: `Bearer ${token}x` },
      { Authorization: `Basic ${token}` },
      { Cookie: `token=${token}` },
    ] as Record<string, string>[])
      expect(await scale(headers)).toMatchObject({ status: 401 })
    expect(await scale({ ...bearer, Host: 'evil.example' })).toMatchObject({ status: 421 })
    expect(await scale(bearer)).toMatchObject({ status: 200, reply: { workers: 3 } })
    expect(await ask(metrics, 'GET', '/control/scale', '', bearer)).toMatchObject({ status: 405 })
    const status = await ask(metrics, 'GET', '/control/status', '', bearer)
    expect(status).toMatchObject({ status: 200, reply: { state: 'serving', pid: server.pid } })
    expect(await ask(metrics, 'GET', '/control/status')).toMatchObject({ status: 401 })
    // The same bearer does not come from another site: no answer lets a browser read or send it.
    const preflight = await ask(metrics, 'OPTIONS', '/control/scale', '', { Origin: 'http://a' })
    expect(preflight.status).toBe(405)
  })

  test('profiles are on the metrics bind too, and end when their client leaves', async () => {
    const headers = { Authorization: `Bearer ${token}` }
    for (const path of ['/control/profile', '/control/memory']) {
      expect(await ask(metrics, 'POST', path)).toMatchObject({ status: 401 })
      const { status, reply } = await ask(metrics, 'POST', path, '{"seconds":0.2}', headers)
      expect([path, status, reply.failed]).toEqual([path, 200, []])
      const short = () => ask(metrics, 'POST', path, '{"seconds":0.1}', headers)
      let long: ClientRequest | undefined
      let answered = false
      onTestFinished(() => void long?.destroy())
      await profileUnderWay(
        () => {
          if (long !== undefined && !answered) return
          answered = false
          long = request({ socketPath: metrics, method: 'POST', path, headers })
          long
            .on('error', () => {})
            .on('response', (response) => {
              answered = true
              response.resume()
            })
          long.end('{"seconds":600}')
        },
        async () => JSON.stringify((await short()).reply),
      )
      long?.destroy()
      await waitFor('another one to be possible', async () => {
        const { status, reply } = await short()
        return status === 200 && (reply.failed as unknown[]).length === 0
      })
    }
    const wrong = await ask(metrics, 'POST', '/control/memory', '{"seconds":-1}', headers)
    expect(wrong).toMatchObject({ status: 400, reply: { error: { code: 'bad-request' } } })
  })

  test('hung, drained and stopped, it has a line for each', async () => {
    process.kill(server.pid, 'SIGSTOP')
    const hung = await ctl('status', '--timeout', '0.3')
    process.kill(server.pid, 'SIGCONT')
    expect(hung.code).toBe(4)
    expect(hung.stderr).toBe(
      `monoceros ctl: The server (process ${server.pid}) does not answer within 0.3 s: it is ` +
        `stopped by a signal (SIGSTOP); kill -CONT ${server.pid} has it go on [MONO6005]\n`,
    )
    expect((await ctl('drain')).code).toBe(0)
    await waitFor('no workers', () => server.workers().length === 0)
    const drained = await ctl('workers')
    expect(drained.stdout).toContain('the server is drained')
    // Another server of this user, of a version to come.
    const newer = createServer((_request, response) => {
      response.end('{"protocol": 2, "monoceros": "9.0.0", "pid": 1}')
    })
    onTestFinished(() => void newer.close())
    const path = join(env.MONOCEROS_RUNTIME_DIR, `${process.pid}.sock`)
    await new Promise<void>((resolve) => newer.listen(path, resolve))
    const several = await ctl('status')
    expect(several.code).toBe(3)
    expect(several.stderr).toContain(
      '2 servers run [MONO6007]. Name one with --pid, --pid-file or --control-socket:\n',
    )
    expect(several.stderr).toContain(`--pid ${server.pid}  shop:app at http`)
    const version = await ctl('status', '--pid', String(process.pid))
    expect(version.code).toBe(6)
    expect(version.stderr).toMatch(
      /is Monoceros 9\.0\.0, with version 2 of the control protocol.* \[MONO6003\]$/m,
    )
    const stopped = await ctl('stop', '--pid', String(server.pid))
    expect(stopped.code).toBe(0)
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(await ctl('status', '--pid', String(server.pid))).toMatchObject({ code: 3 })
  })
})

test('without a server, and with a mistake, there is one line and a status of its own', async () => {
  const empty = temporaryDirectory()
  onTestFinished(empty.remove)
  const env = { MONOCEROS_RUNTIME_DIR: empty.path }
  const lines: [string[], number, RegExp][] = [
    [
      ['--control-socket', 'nothing.sock', 'status'],
      3,
      /There is no control socket .*nothing.sock/,
    ],
    [['--pid-file', 'nothing.pid', 'status'], 3, /There is no pid file .*nothing.pid/],
    [['statsu'], 2, /there is no command "statsu"; there are status,/],
    [['scale', 'many'], 2, /scale: expected a number of workers, got "many"/],
    [['--loud'], 2, /--loud is not an option/],
    [[], 2, /a command is missing/],
  ]
  for (const [args, code, line] of lines) {
    const result = await runCommand(['ctl', ...args], { env, cwd: empty.path })
    expect([args, result]).toMatchObject([args, { code }])
    expect(result.stderr).toMatch(line)
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1)
  }
})
