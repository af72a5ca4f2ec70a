import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { gunicornFacts } from '../../src/settings/gunicorn-facts.ts'
import { ourSetting } from '../../src/settings/gunicorn-guide.ts'
import { commandPath } from '../support/build.ts'
import { commandLineOf, descendantsOf, waitUntilGone } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runCommandHere, startServer } from '../support/server.ts'

const folder = mkdtempSync(join(tmpdir(), 'gunicorn-config-'))
afterAll(() => rmSync(folder, { recursive: true }))
const APP = `def app(environ, start_response):
    start_response("200 OK", [])
    return [environ["SCRIPT_NAME"].encode(), b" ", environ["PATH_INFO"].encode()]
`

/** One configuration: its file, its variables and its arguments. */
interface Case {
  readonly file?: string
  readonly env?: Record<string, string>
  readonly args?: readonly string[]
}

let cases = 0

/** A folder with an application and the config file of a case. */
function place({ file }: Case): string {
  const cwd = join(folder, String(cases++))
  mkdirSync(join(cwd, 'site'), { recursive: true })
  writeFileSync(join(cwd, 'app.py'), APP)
  if (file !== undefined) writeFileSync(join(cwd, 'gunicorn.conf.py'), file)
  return cwd
}

/** The environment of both: the suite's Python is the one of the virtual environment. */
function environment(env: Record<string, string> = {}): Record<string, string> {
  return { PATH: process.env.PATH ?? '', VIRTUAL_ENV: testPython().prefix, ...env }
}

const script = new URL('../support/gunicorn_settings.py', import.meta.url).pathname

/** What Gunicorn makes of cases; `{ error: STATUS }` if it refuses one. */
function gunicorns(placed: readonly (Case & { cwd: string })[]): Record<string, unknown>[] {
  const input = placed.map(({ cwd, env, args = [] }) => ({ cwd, env: environment(env), args }))
  const output = execFileSync(testPython().executable, [script], { input: JSON.stringify(input) })
  return JSON.parse(output.toString()) as Record<string, unknown>[]
}

/** What we make of it, by Gunicorn's names and in its form. */
async function ours(cwd: string, { env, args = [] }: Case): Promise<Record<string, unknown>> {
  const result = await runCommandHere(['--print-config', ...args], { cwd, env: environment(env) })
  if (result.code !== 0) return { error: result.code }
  expect(result.stderr).toBe('')
  const values = JSON.parse(result.stdout) as Record<string, unknown>
  const byName: Record<string, unknown> = {}
  for (const fact of gunicornFacts) {
    const setting = ourSetting(fact)
    if (setting !== undefined) byName[fact.name] = values[setting.name]
  }
  byName.raw_env = Object.entries(values.raw_env as object).map((pair) => pair.join('='))
  byName.pythonpath = (values.pythonpath as string[]).join(',') || null
  return byName
}

const COMPARED = [
  'wsgi_app',
  'bind',
  'backlog',
  'workers',
  'threads',
  'timeout',
  'graceful_timeout',
  'max_requests',
  'max_requests_jitter',
  'limit_request_line',
  'limit_request_fields',
  'limit_request_field_size',
  'header_map',
  'chdir',
  'raw_env',
  'accesslog',
  'errorlog',
  'loglevel',
  'access_log_format',
  'forwarded_allow_ips',
  'secure_scheme_headers',
  'preload_app',
]

function compared(values: Record<string, unknown>): Record<string, unknown> {
  if ('error' in values) return { error: true }
  const loglevel = String(values.loglevel).toLowerCase()
  const same = { ...values, loglevel, preload_app: values.preload_app ?? false }
  return Object.fromEntries(COMPARED.map((name) => [name, (same as typeof values)[name]]))
}

/** Checks that we read cases as Gunicorn does. */
async function expectTheSame(all: readonly Case[]): Promise<Record<string, unknown>[]> {
  const placed = all.map((one) => ({ ...one, cwd: place(one) }))
  const theirs = gunicorns(placed)
  for (const [index, one] of placed.entries()) {
    const own = await ours(one.cwd, one)
    expect({ case: one, ...compared(own) }).toEqual({ case: one, ...compared(theirs[index]!) })
  }
  return theirs
}

describe.skipIf(!hasPython() || testPython().version.startsWith('3.9.'))('as in Gunicorn', () => {
  test('its settings, their flags and their defaults are those of the installed one', () => {
    const output = execFileSync(testPython().executable, [script, 'facts'], {
      env: { PATH: process.env.PATH ?? '' },
    })
    const { version, settings } = JSON.parse(output.toString()) as {
      version: string
      settings: { name: string; flags: string[]; default: unknown }[]
    }
    expect(version).toMatch(/^27\./)
    // These depend on the machine or are Python's own constants.
    const foreign = ['chdir', 'user', 'group', 'control_socket', 'ssl_version', 'cert_reqs']
    expect(settings.map(({ name, flags }) => ({ name, flags }))).toEqual(
      gunicornFacts.map(({ name, flags }) => ({ name, flags })),
    )
    for (const { name, default: usual } of settings) {
      const fact = gunicornFacts.find((one) => one.name === name)!
      if (!foreign.includes(name)) expect({ name, usual }).toEqual({ name, usual: fact.default })
    }
  })

  test('the order of defaults, environment, config file, GUNICORN_CMD_ARGS, command line', async () => {
    const all: Case[] = []
    for (let sources = 0; sources < 16; sources++) {
      const env: Record<string, string> = {}
      if (sources & 1) Object.assign(env, { WEB_CONCURRENCY: '2', PORT: '5001' })
      if (sources & 4) {
        env.GUNICORN_CMD_ARGS =
          '-w 4 --bind 127.0.0.1:5003 -e "A=of the variable" --timeout=33 ignored:app'
      }
      all.push({
        env,
        ...(sources & 2 && {
          file: 'workers = 3\nbind = "127.0.0.1:5002"\nraw_env = ["A=b", "B=c"]\nthreads = 3\n',
        }),
        args:
          sources & 8
            ? [
                '-w',
                '5',
                '-b',
                '0.0.0.0:5004',
                '-b',
                '0.0.0.0:5005',
                '-e',
                'C=d',
                '--log-level',
                'error',
                'app:app',
              ]
            : ['app:app'],
      })
    }
    const results = await expectTheSame(all)
    expect(new Set(results.map(({ workers }) => workers))).toEqual(new Set([1, 2, 3, 4, 5]))
  })

  test('values in every form', async () => {
    await expectTheSame([
      {
        file: `
import multiprocessing, os
wsgi_app = " app:app "
bind = "unix:/tmp/x.sock"
workers = os.environ.get("WORKERS", "0x4")
threads = "2"
timeout = 120
graceful_timeout = "60"
max_requests, max_requests_jitter = 1000, 50
accesslog = "-"
loglevel = "Warning"
raw_env = "A=b"
forwarded_allow_ips = "*"
pythonpath = None
proc_name = None
capture_output = False
preload_app = None
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
access_log_format = '%(h)s "%(r)s" %(s)s'
def helper(): pass
WORKERS = 12
log_level = "debug"
`,
      },
      {
        file: 'bind = ["0.0.0.0:80", "[::1]:81"]\nworkers = True\nraw_env = None\n',
        args: ['app:app'],
      },
      { file: 'chdir = "site"\nforwarded_allow_ips = "10.0.0.0/8, ::1"\n', args: ['app:app'] },
      { file: 'bind = ("127.0.0.1:1", )\ntimeout = 0\nheader_map = "Refuse"\n', args: ['app:app'] },
      { file: 'workers = 2\n', args: ['--chdir', 'site', 'app:app'] },
      { args: ['--thread', '4', '--graceful=3', '-w3', '--max-requests-j', '5', 'app:app'] },
      { env: { GUNICORN_CMD_ARGS: '-c other.py' }, file: 'workers = 7\n', args: ['app:app'] },
    ])
  })

  test('what Gunicorn refuses is refused', async () => {
    await expectTheSame([
      { file: 'workers = "many"\n' },
      { file: 'workers = None\n' },
      { file: 'workers = -1\n' },
      { file: 'bind = 8000\n' },
      { file: 'preload_app = 1\n' },
      { file: 'raw_env = {"A"}, 5\n' },
      { file: 'chdir = "missing"\n' },
      { file: 'forwarded_allow_ips = "10.0.0.1/8x"\n' },
      { file: 'secure_scheme_headers = "X-FORWARDED-PROTO"\n' },
      { file: 'def post_fork(worker): pass\n' },
      { file: 'when_ready = 5\n' },
      { file: 'workers = 1 +\n' },
      { file: 'raise RuntimeError("no database")\n' },
      { args: ['-c', 'missing.py', 'app:app'] },
      { args: ['-c', 'python:no_such_module', 'app:app'] },
    ])
  })
})

describe.skipIf(!hasPython())('a server with gunicorn.conf.py', () => {
  test('finds it, runs it again on HUP, and keeps the settings if it is broken', async () => {
    const file = (more: string) => `import os
raw_env = ["SCRIPT_NAME=/shop"]
print("configuring in", os.getcwd())
def when_ready(server):
    pass
${more}
`
    const cwd = place({ file: file('threads = 2') })
    const server = await startServer({ app: 'app:app', args: ['--log-level', 'info'], cwd })
    expect(server.log()).toContain('Configuration: gunicorn.conf.py\n')
    expect(server.log()).toContain(`configuring in ${cwd}\n`)
    expect(server.log()).toContain('2 threads')
    const get = async (path: string) => (await fetch(server.url + path)).text()
    expect(await get('/shop/cart')).toBe('/shop /cart')
    expect(await get('/other')).toBe('/shop /other')

    writeFileSync(join(cwd, 'gunicorn.conf.py'), file('threads = 3'))
    server.signal('SIGHUP')
    await server.waitForLog(/3 threads[\s\S]*Reloaded/)

    const before = server.log().length
    writeFileSync(join(cwd, 'gunicorn.conf.py'), file('threads = three'))
    server.signal('SIGHUP')
    await server.waitForLog(/Reload failed/, { from: before })
    expect(server.log().slice(before)).toMatch(
      /gunicorn\.conf\.py could not be read \[MONO1106\]\nTraceback[\s\S]*line 6[\s\S]*NameError: name 'three'/,
    )
    expect(await get('/shop/cart')).toBe('/shop /cart')

    const again = server.log().length
    writeFileSync(join(cwd, 'gunicorn.conf.py'), file('import time; time.sleep(1000)'))
    server.signal('SIGHUP')
    await server.waitForLog(/configuring/, { from: again })
    writeFileSync(join(cwd, 'gunicorn.conf.py'), file('threads = 4'))
    server.signal('SIGHUP')
    await server.waitForLog(/abandoning the reload[\s\S]*4 threads[\s\S]*Reloaded/, { from: again })
    // The processes of all these configurations are gone with it.
    await server.stop()
  })

  test('the process of a file that hangs ends with the command', async () => {
    const cwd = place({ file: 'import time; print("hanging", flush=True); time.sleep(1000)' })
    const command = spawn(process.execPath, [commandPath, 'app:app'], {
      cwd,
      env: environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(command.stdout, 'data')
    const [host = 0] = descendantsOf(command.pid!)
    expect(commandLineOf(host)).toContain('monoceros-config')
    command.kill('SIGKILL')
    await waitUntilGone(host)
  })

  const check = async (one: Case & { cwd?: string }) => {
    const cwd = one.cwd ?? place(one)
    const { args = [] } = one
    return await runCommandHere(['--check-config', ...args], { cwd, env: environment(one.env) })
  }

  test('--check-config loads the application', async () => {
    const file = 'wsgi_app = "app:app"\ndef post_fork(server, worker): raise SystemExit\n'
    expect(await check({ file })).toEqual({
      code: 0,
      stdout: 'Configuration is valid (gunicorn.conf.py), and app:app can be loaded\n',
      stderr: '',
      served: null,
    })
    const broken = await check({ file, args: ['app:missing'] })
    expect(broken.code).toBe(3)
    expect(broken.stderr).toContain("module 'app' has no attribute 'missing'")
  })

  test.each([
    ['check_config = True', /^Configuration is valid \(gunicorn\.conf\.py\), and app:app/],
    ['print_config = "true"\ncheck_config = False', /^\{\n {2}[\s\S]*"workers": 1,/],
  ])('is asked in the file: %s', async (file, output) => {
    const cwd = place({ file })
    const result = await runCommandHere(['app:app'], { cwd, env: environment() })
    expect(result).toMatchObject({ code: 0, stderr: '', served: null })
    expect(result.stdout).toMatch(output)
  })

  test.each([
    [
      'workers = "many"',
      'gunicorn.conf.py:1: workers: expected a whole number from 1 to 4096, got "many"',
    ],
    ['x = 1\nbind = 8000', 'gunicorn.conf.py:2: bind: expected addresses to listen on, got 8000'],
    [
      'timeout = print',
      'gunicorn.conf.py:1: timeout: expected a number of seconds, 0 or more, ' +
        'got "<function print>"',
    ],
    ['def on_exit(): pass', 'on_exit must accept 1 argument'],
    ['import sys\nsys.exit("no")', 'SystemExit: no'],
    ['import os\nos._exit(4)', 'The process that runs'],
    ['paste = "site.ini"', 'gunicorn.conf.py:1: paste is not supported: write a module'],
    [
      'monoceros = {"wrokers": 2}',
      'gunicorn.conf.py:1: monoceros: unknown setting "wrokers" (did you mean workers?)',
    ],
    ['monoceros = 2', 'gunicorn.conf.py:1: monoceros is not a dictionary of settings'],
  ])('a mistake is told with its place: %s', async (file, message) => {
    const { code, stderr } = await check({ file })
    expect(stderr).toContain(message)
    expect(code).toBe(2)
  })

  // With `--runtime auto`, the embedded one runs it: see tests/embedded/python-config.test.ts.
  test('without an installed Python that was asked for it says what is missing', async () => {
    const cwd = place({ file: 'workers = 2' })
    const args = ['--runtime', 'cpython', 'app:app']
    const { code, stderr } = await runCommandHere(args, { cwd, env: { PATH: cwd } })
    expect(stderr).toMatch(/^monoceros: No Python/)
    expect(code).toBe(1)
  })

  test('settings of ours are in a dictionary; a variable of such a name has no effect', async () => {
    const cwd = place({
      file:
        'log_level = "info"\nloglevel = log_level\nstrict = True\n' +
        'monoceros = {"limit_request_body": "20M", "headerTimeout": 10}\n',
    })
    const { stdout, stderr } = await runCommandHere(['--print-config'], { cwd, env: environment() })
    expect(JSON.parse(stdout)).toMatchObject({
      limit_request_body: '20M',
      header_timeout: 10,
      strict: false,
    })
    expect(stderr).toBe(
      'monoceros: note: gunicorn.conf.py:3: strict has no effect: ' +
        'it is not a setting of Gunicorn. ' +
        'If it is meant for Monoceros, write monoceros = {"strict": ...}\n',
    )
  })

  test('our own config file counts first; an application in TypeScript ignores it', async () => {
    const cwd = place({ file: 'raise SystemExit("not this one")' })
    writeFileSync(join(cwd, 'app.ts'), 'export default () => []\n')
    const run = (...args: string[]) => runCommandHere(args, { cwd, env: environment() })
    expect((await run('--print-config', './app.ts')).code).toBe(0)
    expect((await run('--print-config', 'app:app')).code).toBe(2)
    writeFileSync(join(cwd, 'monoceros.config.ts'), 'export default { workers: 2 as number }\n')
    expect((await run('--check-config', 'app:app')).stdout).toBe(
      'Configuration is valid (monoceros.config.ts (not gunicorn.conf.py)), ' +
        'and app:app can be loaded\n',
    )
  })
})
