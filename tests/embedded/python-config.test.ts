import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { copySnapshots } from '../support/interpreter-cache.ts'
import { type RunningServer, runServer, runToEnd } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'

// A gunicorn.conf.py where no Python is installed: the embedded one runs it.

const PATIENCE = 120_000
/** For one event, so that what was waited for is named. */
const WITHIN = 45_000
vi.setConfig({ testTimeout: PATIENCE, hookTimeout: PATIENCE })

const machine = temporaryDirectory()
afterAll(machine.remove)
const site = join(machine.path, 'site')
const conf = join(machine.path, 'conf')
for (const name of ['bin', 'cache', 'temporary', 'site', 'conf'])
  mkdirSync(join(machine.path, name))
symlinkSync(process.execPath, join(machine.path, 'bin', 'node'))
copySnapshots(join(machine.path, 'cache', 'monoceros'))

const environment = {
  HOME: machine.path,
  PATH: join(machine.path, 'bin'),
  TMPDIR: join(machine.path, 'temporary'),
  XDG_CACHE_HOME: join(machine.path, 'cache'),
}

function write(path: string, ...lines: string[]): void {
  writeFileSync(join(machine.path, path), `${lines.join('\n')}\n`)
}

function monoceros(...args: string[]) {
  return runToEnd(process.execPath, [commandPath, ...args], {
    cwd: site,
    env: environment,
    timeout: PATIENCE,
  })
}

function serve(...args: string[]): Promise<RunningServer> {
  return runServer({
    command: process.execPath,
    args: [commandPath, '--bind', '127.0.0.1:0', ...args],
    env: environment,
    cwd: site,
    findAddresses: (log) => [...log.matchAll(/Listening at (\S+)/g)].map(([, url]) => url ?? ''),
    isReady: (log) => /Listening at \S+.*\n/.test(log),
    isWorker: () => false, // they are threads
  })
}

write(
  'site/served.py',
  'def app(environ, start_response):',
  '    start_response("200 OK", [("Content-Length", "2")])',
  '    return [environ["HTTP_X_HOOK"].encode()]',
)

describe('a setting for an installed Python', () => {
  test.each([
    ['--acceptors', '2', '--acceptors 2: its file locks do not work across processes'],
    ['--worker-class', 'gevent', 'worker_class gevent: it has no sockets'],
  ])('%s %s is refused, with what was tried', async (option, value, why) => {
    const { code, stderr } = await monoceros('-b', '127.0.0.1:0', option, value, 'served:app')
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /No Python 3\.9 or newer was found \[MONO2035\]\. Tried:\n +- [\s\S]*python3 \(on PATH\): not found\n/,
    )
    expect(stderr).toContain(`The embedded Python cannot replace it with ${why}`)
  })

  test('is left out with a warning if the embedded one can do without', async () => {
    const server = await serve('--threads', '4', '--preload', 'served:app')
    expect(server.log()).toMatch(
      /\[WARNING\] threads \(4\) has no effect on the embedded Python; use more workers \[MONO2038\]\n/,
    )
    expect(server.log()).toMatch(
      /\[WARNING\] preload_app has no effect on the embedded Python \[MONO2038\]\n/,
    )
    await server.stop()
  })
})

describe('its values', () => {
  test('are those that Gunicorn would take, and the machine has its processors', async () => {
    write(
      'site/gunicorn.conf.py',
      'import multiprocessing, os',
      'workers = multiprocessing.cpu_count() * 2 + 1',
      'timeout = 12',
      'proc_name = os.path.basename(os.getcwd())',
      'def when_ready(server): pass',
      'def worker_int(worker): pass',
    )
    const { code, stdout, stderr } = await monoceros('--print-config')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      workers: availableParallelism() * 2 + 1,
      timeout: 12,
      proc_name: 'site',
    })
    expect(stderr).toMatch(/conf\.py:5: when_ready has no effect on the embedded Python/)
    expect(stderr).toMatch(/conf\.py:6: worker_int has no effect on the embedded Python/)
  })

  test('an error is shown with its traceback, and nothing of ours', async () => {
    write('site/wrong.py', 'def read():', '    raise ValueError("too bad")', 'read()')
    const { code, stderr } = await monoceros('-c', 'wrong.py', 'served:app')
    expect(code).toBe(2)
    expect(stderr).toMatch(
      /wrong\.py could not be read \[MONO1106\]\nTraceback[\s\S]*line 2, in read\n/,
    )
    expect(stderr).toMatch(/ValueError: too bad\n$/)
    expect(stderr).not.toMatch(/monoceros_pyodide|configuration\.py/)
  })
})

describe('its hooks of workers', () => {
  let server: RunningServer
  afterAll(() => server?.stop())
  const answer = async (path: string) =>
    (await fetch(`${server.url}${path}`, { headers: { connection: 'close' } })).text()

  beforeAll(async () => {
    write(
      'conf/hooks.py',
      'def post_fork(server, worker): server.log.info("hook: forked %d", worker.age)',
      'def post_worker_init(worker): worker.log.info("hook: loaded %s", worker.wsgi.__name__)',
      'def pre_request(worker, req): req.headers.append(("X-Hook", "hi"))',
      'def post_request(worker, req, environ, resp):',
      '    worker.log.info("hook: %s %s %d", req.path, resp.status, worker.nr)',
      'def worker_exit(server, worker): worker.log.info("hook: exit")',
    )
    server = await serve('-c', join(conf, 'hooks.py'), 'served:app')
  })

  test('are called, from a file outside of the application', async () => {
    expect(await answer('/a')).toBe('hi')
    await server.waitForLog(/hook: \/a 200 OK 1/)
    expect(server.log().match(/hook: .*/g)).toEqual([
      'hook: forked 1',
      'hook: loaded app',
      'hook: /a 200 OK 1',
    ])
  })

  test('are read again by HUP, and a file that fails leaves what is', async () => {
    const from = server.log().length
    write('conf/hooks.py', 'raise ValueError("not now")')
    server.signal('SIGHUP')
    await server.waitForLog(/ValueError: not now/, { from, timeout: WITHIN })
    write(
      'conf/hooks.py',
      'def pre_request(worker, req): req.headers.append(("X-Hook", "ho"))',
      'def worker_exit(server, worker): worker.log.info("hook: second exit")',
    )
    server.signal('SIGHUP')
    await server.waitForLog(/hook: exit/, { from, timeout: WITHIN })
    await waitFor('the new hooks', async () => (await answer('/')) === 'ho', WITHIN)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(server.log()).toContain('hook: second exit')
  })
})
