import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { camelCase, type SettingDefinition } from '../settings/definition.ts'
import { gunicornFacts } from '../settings/gunicorn-facts.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { settingsTable } from '../settings/table.ts'
import { commandOf, hooksOf, loadSettings, toConfig } from './load-settings.ts'

const base = mkdtempSync(join(tmpdir(), 'monoceros-settings-'))
afterAll(() => rmSync(base, { recursive: true }))

let cwd = base
let folders = 0
beforeEach(() => {
  cwd = join(base, String(++folders))
  mkdirSync(join(cwd, 'site'), { recursive: true })
})

function write(name: string, contents: string | object): void {
  writeFileSync(join(cwd, name), typeof contents === 'string' ? contents : JSON.stringify(contents))
}

async function load(line = '', env: Record<string, string> = {}) {
  const args = line === '' ? [] : line.split(' ')
  return (await loadSettings({ args, env, cwd })).settings
}

async function refusal(line: string, env: Record<string, string> = {}): Promise<SettingsError> {
  const error = await load(line, env).catch((reason: unknown) => reason)
  if (!(error instanceof SettingsError)) throw new Error(`not refused: ${String(error)}`)
  expect(error.message).not.toContain('\n')
  return error
}

describe('defaults', () => {
  test('every default is a good value', async () => {
    const settings = await load()
    expect(settings.bind).toEqual([{ kind: 'tcp', host: '127.0.0.1', port: 8000 }])
    expect(settings).toMatchObject({
      workers: 1,
      threads: 1,
      timeout: 30,
      keepalive: 5,
      limitRequestLine: 4094,
      limitRequestBody: 0,
      requestBufferSize: 1048576,
      responseWindow: 262144,
      requestBuffering: true,
      serverHeader: 'monoceros',
      accessLogfile: null,
      errorLogfile: '-',
      pidfile: null,
      config: null,
      wsgiApp: '',
      chdir: cwd,
      rawEnv: {},
    })
  })

  test('settings have a key for each entry of the table that is not a command', async () => {
    const table: readonly SettingDefinition[] = settingsTable
    const expected = table.filter(({ command }) => !command).map(({ name }) => camelCase(name))
    expect(Object.keys(await load()).sort()).toEqual(expected.sort())
  })

  test('settings survive a message between processes', async () => {
    const settings = await load('-b :1 -b unix:a -e A=1 a')
    expect(JSON.parse(JSON.stringify(settings))).toEqual(settings)
  })
})

describe('precedence', () => {
  test('environment, config file, MONOCEROS_CMD_ARGS, command line: the later counts', async () => {
    const env: Record<string, string> = { WEB_CONCURRENCY: '2' }
    expect((await load('', env)).workers).toBe(2)
    write('monoceros.config.json', { workers: 3 })
    expect((await load('', env)).workers).toBe(3)
    env.MONOCEROS_CMD_ARGS = '--workers 4'
    expect((await load('', env)).workers).toBe(4)
    expect((await load('-w 5', env)).workers).toBe(5)
  })

  test('$PORT moves the default address to all interfaces, and gives way to --bind', async () => {
    expect((await load('', { PORT: '5000' })).bind).toEqual([
      { kind: 'tcp', host: '0.0.0.0', port: 5000 },
    ])
    expect((await load('-b :1', { PORT: '5000' })).bind).toEqual([
      { kind: 'tcp', host: '0.0.0.0', port: 1 },
    ])
    expect((await load('', { PORT: '' })).bind).toEqual([
      { kind: 'tcp', host: '127.0.0.1', port: 8000 },
    ])
  })

  test('a list replaces that of an earlier source', async () => {
    write('monoceros.config.json', { bind: [':1', ':2'], raw_env: { A: '1' } })
    const settings = await load('-b :3 -e B=2')
    expect(settings.bind).toHaveLength(1)
    expect(settings.rawEnv).toEqual({ B: '2' })
  })

  test('the application may come from the config file or the variable', async () => {
    write('monoceros.config.json', { wsgi_app: 'a' })
    expect((await load()).wsgiApp).toBe('a')
    expect((await load('', { MONOCEROS_CMD_ARGS: 'b' })).wsgiApp).toBe('b')
    expect((await load('c', { MONOCEROS_CMD_ARGS: 'b' })).wsgiApp).toBe('c')
  })
})

describe('values', () => {
  test('paths start from chdir, as in Gunicorn, and chdir from the current folder', async () => {
    const settings = await load(
      '--chdir site --pythonpath lib,/opt/x --pythonpath more --pid run.pid --access-logfile -',
    )
    expect(settings.chdir).toBe(join(cwd, 'site'))
    expect(settings.pythonpath).toEqual([join(cwd, 'site/lib'), '/opt/x', join(cwd, 'site/more')])
    expect(settings.pidfile).toBe(join(cwd, 'site/run.pid'))
    expect(settings.accessLogfile).toBe('-')
  })

  test('an environment value may hold equals signs and be empty', async () => {
    expect((await load('-e A=b=c -e D=')).rawEnv).toEqual({ A: 'b=c', D: '' })
  })

  test('choices are taken in any case', async () => {
    expect((await load('--log-level WARNING')).logLevel).toBe('warning')
  })

  test('a trailing slash of the root path is taken off', async () => {
    expect((await load('--root-path /shop/')).rootPath).toBe('/shop')
    expect((await load('--root-path /')).rootPath).toBe('')
  })

  test.each([
    ['-w abc', '-w: expected a whole number from 1 to 4096, got "abc"'],
    ['-w 0', '-w: expected a whole number from 1 to 4096, got "0"'],
    ['--workers=1.5', '--workers: expected a whole number'],
    ['-w -1', '-w: expected a whole number from 1 to 4096, got "-1"'],
    ['-t -1', '-t: expected a number of seconds'],
    ['-t 1e3', '-t: expected a number of seconds'],
    ['-t 99999999', '-t: expected a number of seconds'],
    [
      '--limit-request-body 1x',
      '--limit-request-body: expected a size such as 65536, 64k or 1M, got "1x"',
    ],
    ['--response-window 1', 'from 16k to 64M, got "1"'],
    [
      '--client-memory 5',
      '--client-memory: expected a size such as 65536, 64k or 1M, at least 1M, got "5"',
    ],
    ['--header-map keep', '--header-map: expected one of drop, refuse, dangerous, got "keep"'],
    ['-b host:http', '-b: the port must be a whole number from 0 to 65535, got "host:http"'],
    ['--bind=', '--bind: expected at least one address'],
    ['-e FOO', '-e: expected KEY=VALUE, got "FOO"'],
    ['-e =x', '-e: expected KEY=VALUE with a name'],
    ['--chdir nowhere', '--chdir: expected an existing folder, got "nowhere"'],
    ['--root-path shop', '--root-path: expected a path that begins with a slash'],
    ['--root-path //shop', '--root-path: expected a path'],
    ['--server-header=', '--server-header: expected visible ASCII'],
    ['--server-header=a\r\nb:c', '--server-header: expected visible ASCII'],
    ['--forwarded-allow-ips 10.0.0.0/33', '--forwarded-allow-ips: expected addresses'],
    ['--forwarded-allow-ips example.org', '--forwarded-allow-ips: expected addresses'],
    ['--access-logformat %(U)d', '%(U)d must end in s'],
    ['--access-logformat 100%', 'write %% for a percent sign'],
    [
      '-b https://:443',
      '-b: write HOST:PORT without https:// in front, or tls:HOST:PORT for HTTPS',
    ],
    ['--keyfile site.key', 'site.key has no certificate: give that with --certfile'],
    ['--spa', 'spa needs the folder that has the index.html: give it with --static /=./dist'],
    ['--static /a=site --static /a=.', '--static: expected one folder for each path'],
    ['--static /a=site --static /a/=.', '--static: expected one folder for each path'],
    ['--static-cache-control=a\nb', '--static-cache-control: expected visible ASCII'],
    ['--runtime jython', '--runtime: expected one of auto, cpython, pyodide, node, got "jython"'],
  ])('%s is refused', async (line, message) => {
    const error = await refusal(line)
    expect(error.code).toBe('bad-value')
    expect(error.message).toContain(message)
  })

  test('--no-cache leaves out the cache of a config file', async () => {
    write('monoceros.config.json', { cache: '64M' })
    expect((await load()).cache).toBe(64 * 1024 * 1024)
    expect((await load('--no-cache')).cache).toBeNull()
  })

  test('a bad environment variable is named', async () => {
    expect((await refusal('', { WEB_CONCURRENCY: 'x' })).message).toContain(
      'Environment variable WEB_CONCURRENCY: expected',
    )
    expect((await refusal('', { PORT: 'x' })).message).toContain('Environment variable PORT: ')
    expect((await refusal('', { MONOCEROS_CMD_ARGS: '-w x' })).message).toContain(
      'MONOCEROS_CMD_ARGS: -w: expected',
    )
    expect((await refusal('', { MONOCEROS_CMD_ARGS: "'" })).message).toContain(
      'MONOCEROS_CMD_ARGS: a quote is not closed',
    )
  })
})

describe('config files', () => {
  test('numbers may stand for texts that look like numbers', async () => {
    write('monoceros.config.json', {
      hsts: 3600,
      tls_minimum: 1.3,
      compress_level: { br: 5 },
      http_redirect: 80,
      certfile: 'site.pem',
    })
    expect(await load()).toMatchObject({
      hsts: 'max-age=3600',
      tlsMinimum: '1.3',
      compressLevel: { br: '5' },
      httpRedirect: ['80'],
    })
    write('monoceros.config.json', { http_redirect: [80, '[::]:80'], certfile: 'site.pem' })
    expect((await load()).httpRedirect).toEqual(['80', '[::]:80'])
  })

  test('keys may be in snake_case, camelCase, or as Gunicorn has them', async () => {
    write('monoceros.config.json', {
      max_requests: 7,
      gracefulTimeout: 2.5,
      accesslog: '-',
      bind: ':1',
      limit_request_body: '1k',
    })
    expect(await load()).toMatchObject({
      maxRequests: 7,
      gracefulTimeout: 2.5,
      accessLogfile: '-',
      limitRequestBody: 1024,
    })
  })

  test('a JavaScript module is read, and read anew after a change', async () => {
    write(
      'monoceros.config.mjs',
      `export default { workers: 1 + 1, server_header: null, request_buffering: false }`,
    )
    expect(await load()).toMatchObject({
      workers: 2,
      serverHeader: null,
      requestBuffering: false,
      config: join(cwd, 'monoceros.config.mjs'),
    })
    write('monoceros.config.mjs', `export default { workers: 3 }`)
    expect((await load()).workers).toBe(3)
  })

  test('--config names another one, which is then the only one', async () => {
    write('monoceros.config.json', { workers: 2 })
    write('other.json', { threads: 3 })
    expect(await load('-c other.json')).toMatchObject({ workers: 1, threads: 3 })
  })

  test('an atom of the access log that does not exist is noted', async () => {
    const args = ['--access-logformat', '%(h)s %(x)s', 'hello:app']
    const { settings, notes } = await loadSettings({ cwd, args })
    expect(settings.accessLogFormat).toBe('%(h)s %(x)s')
    expect(notes).toEqual([
      expect.stringMatching(/^--access-logformat: there is no atom %\(x\)s, /),
    ])
  })

  test('what has no effect on an application in TypeScript is noted, if it is not the default', async () => {
    write('monoceros.config.json', { wsgi_app: './app.ts:app', threads: 1, pythonpath: ['lib'] })
    const args = ['--acceptors', '2', '--no-request-buffering', '--workers', '3', '--timeout', '5']
    const { notes } = await loadSettings({ cwd, args })
    expect(notes).toEqual([
      '--acceptors has no effect on an application in TypeScript or JavaScript; --workers ' +
        'sets its number of processes',
      '--no-request-buffering has no effect on an application in TypeScript or JavaScript',
      'monoceros.config.json: pythonpath has no effect on an application in TypeScript or ' +
        'JavaScript',
    ])
    expect((await loadSettings({ cwd, args: [...args, 'hello:app'] })).notes).toEqual([])
  })

  test('what only changes another setting, which is off, is noted', async () => {
    const notes = async (...args: string[]) =>
      (await loadSettings({ cwd, args: [...args, 'hello:app'] })).notes
    const store = ['--rate-limit-store', 'redis://127.0.0.1']
    expect(await notes(...store, '--cache-wait', '9', '--compress-minimum', '2k')).toEqual([
      '--rate-limit-store has no effect without rate_limit',
      '--cache-wait has no effect without cache',
      '--compress-minimum has no effect without compress',
    ])
    expect(await notes(...store, '--rate-limit', '5/s', '--cache-wait', '5')).toEqual([])
  })

  test.each([
    [
      '--threads 4',
      '--threads has no effect on the embedded Python, which has no threads; use --workers',
    ],
    ['--worker-tmp-dir .', '--worker-tmp-dir has no effect on the embedded Python'],
    ['--python python3.12', '--python has no effect on the embedded Python'],
    [
      '--acceptors 2',
      '--acceptors has no effect on the embedded Python, which has one: its file locks, ' +
        'which SQLite needs, do not work across processes',
    ],
    ['--worker-memory 256M --mount /srv:ro --inherit-env', null],
    ['--threads 1', null],
  ])('what the embedded Python has no use for is said: %s', async (options, note) => {
    const args = ['--runtime', 'pyodide', ...options.split(' '), 'shop:app']
    expect((await loadSettings({ cwd, args })).notes).toEqual(note === null ? [] : [note])
  })

  test('gevent is refused for the embedded Python', async () => {
    const args = ['--runtime', 'pyodide', '-k', 'gevent', 'shop:app']
    await expect(loadSettings({ cwd, args })).rejects.toMatchObject({
      code: 'bad-value',
      message: expect.stringMatching(/^worker_class gevent is not supported by the embedded/),
    })
  })

  test.each([
    ['-k gevent --threads 4', '--threads has no effect with worker_class gevent; use --worker-c'],
    ['-k gthread --worker-connections 9', '--worker-connections has no effect with worker_class g'],
    ['-k gevent --worker-connections 9', null],
    ['-k gthread --threads 4', null],
  ])('what a class of workers has no use for is said: %s', async (options, note) => {
    const { notes } = await loadSettings({ cwd, args: [...options.split(' '), 'shop:app'] })
    expect(notes).toEqual(note === null ? [] : [expect.stringContaining(note)])
  })

  test.each([
    ['--inherit-env', "--inherit-env has no effect on the system's Python, which always has them"],
    ['--mount /srv', "--mount has no effect on the system's Python, which sees all files"],
    ['--worker-memory 256M', "--worker-memory has no effect on the system's Python"],
  ])("what the system's Python has no use for is said: %s", async (options, note) => {
    const load = (runtime: string) =>
      loadSettings({ cwd, args: ['--runtime', runtime, ...options.split(' '), 'shop:app'] })
    expect((await load('cpython')).notes).toEqual([note])
    // It may be the embedded one.
    expect((await load('auto')).notes).toEqual([])
  })

  test('a TypeScript file for Python is refused; a module with such a name is not', async () => {
    const load = (app: string) => loadSettings({ cwd, args: ['--runtime', 'cpython', app] })
    await expect(load('./app.ts:app')).rejects.toMatchObject({
      code: 'bad-value',
      message:
        'runtime cpython runs Python modules, but ./app.ts:app is a file for the runtime node. ' +
        'Leave the runtime out [MONO1047]',
    })
    expect((await load('package.ts:app')).settings.wsgiApp).toBe('package.ts:app')
  })

  test('a setting at the default of Gunicorn is neither refused nor noted', async () => {
    const defaults = gunicornFacts.map(({ name, default: usual }) => [name, usual])
    write('monoceros.config.json', Object.fromEntries(defaults))
    expect((await loadSettings({ cwd })).notes).toEqual([])
    const nothing = gunicornFacts.filter(({ kind }) => kind !== 'integer')
    write('monoceros.config.json', Object.fromEntries(nothing.map(({ name }) => [name, null])))
    expect((await loadSettings({ cwd })).notes).toEqual([])
    rmSync(join(cwd, 'monoceros.config.json'))
    const args = gunicornFacts.flatMap(({ flags, kind, default: usual }) =>
      flags.length === 0 || kind === 'boolean' || usual === null || Array.isArray(usual)
        ? []
        : [`${flags.at(-1)}=${usual}`],
    )
    const withoutFile = args.filter((arg) => !arg.startsWith('--config='))
    expect((await loadSettings({ args: withoutFile, cwd })).notes).toEqual([])
  })

  test('what is off, or at the default of Gunicorn, is accepted without a note', async () => {
    write('monoceros.config.json', {
      spew: false,
      pythonpath: null,
      proxy_protocol: 'off',
      uwsgi_allow_ips: ['127.0.0.1', '::1'],
    })
    expect((await loadSettings({ cwd })).notes).toEqual([])
  })

  test.each([
    [
      { wrokers: 2 },
      'unknown-key',
      'monoceros.config.json: unknown setting "wrokers" (did you mean workers?)',
    ],
    [
      { print_config: true },
      'unknown-key',
      'monoceros.config.json: print_config is for the command line only: --print-config',
    ],
    [{ config: 'x' }, 'unknown-key', 'is for the command line only: --config'],
    [{ spew: true }, 'unsupported', 'monoceros.config.json: spew is not supported'],
    [
      { workers: 1.5 },
      'bad-value',
      'monoceros.config.json: workers: expected a whole number from 1 to 4096, got 1.5',
    ],
    [{ workers: true }, 'bad-value', 'workers: expected a whole number'],
    [{ workers: null }, 'bad-value', 'workers: expected a whole number'],
    [
      { request_buffering: 'no' },
      'bad-value',
      'request_buffering: expected true or false, got "no"',
    ],
    [{ bind: [8000] }, 'bad-value', 'bind: expected addresses to listen on, got 8000'],
    [{ bind: [] }, 'bad-value', 'bind: expected at least one address'],
    [{ raw_env: { A: 1 } }, 'bad-value', 'raw_env: expected strings as values, got 1'],
    [
      { secure_scheme_headers: { 'a b': 'c' } },
      'bad-value',
      'secure_scheme_headers: expected valid header names',
    ],
    [
      { log_level: 'info', loglevel: 'debug' },
      'config-file',
      'is the same setting as monoceros.config.json: log_level',
    ],
    [[1], 'config-file', 'monoceros.config.json: expected an object of settings, got [1]'],
    ['{ "workers": }', 'config-file', 'monoceros.config.json: not valid JSON'],
  ])('%j is refused', async (contents, code, message) => {
    write('monoceros.config.json', contents)
    const error = await refusal('')
    expect(error.message).toContain(message)
    expect(error.code).toBe(code)
  })

  test.each([
    ['named.mjs', 'export const workers = 2', 'named.mjs: no default export'],
    ['conf.toml', '', 'conf.toml: a config file is a Python file of Gunicorn'],
    ['missing.py', undefined, 'Cannot read config file "missing.py": no such file'],
    ['missing.json', undefined, 'Cannot read config file "missing.json": no such file'],
    ['missing.mjs', undefined, 'Cannot read config file "missing.mjs": no such file'],
  ])('%s is refused', async (name, contents, message) => {
    if (contents !== undefined) write(name, contents)
    const error = await refusal(`-c ${name}`)
    expect(error.code).toBe('config-file')
    expect(error.message).toContain(message)
  })

  test('an error in TypeScript is shown without the frames of what compiles it', async () => {
    write('throws.ts', 'enum Level { High = 1 }\nthrow new RangeError(String(Level.High))')
    const failed = await load('-c throws.ts').catch((error: Error) => error.message)
    expect(failed).toMatch(
      /^throws\.ts could not be read \[MONO1106\]\nRangeError: 1\n +at .*throws\.ts:2/,
    )
    expect(failed).not.toMatch(/jiti|node:internal\/modules/)
  })

  test.each(['own.config.ts', 'own.config.mjs'])('%s that does not find us', async (name) => {
    write(name, 'import { defineConfig } from "monoceros"\nexport default defineConfig({})')
    await expect(load(`-c ${name}`)).rejects.toThrow(/beside the file \(npm install monoceros\)/)
  })

  test('an error in a module is shown with its stack', async () => {
    write('throws.mjs', 'throw new RangeError("too\\nbad")')
    const failed = load('-c throws.mjs')
    await expect(failed).rejects.toMatchObject({ code: 'config-file' })
    await expect(failed).rejects.toThrow(
      /^throws\.mjs could not be read \[MONO1106\]\nRangeError: too\nbad\n +at .*throws\.mjs/,
    )
  })
})

test('--print-config prints a config file that gives the same settings', async () => {
  const settings = await load(
    '-b [::1]:1 -b unix:run.sock -e A=b=c --chdir site --pythonpath lib --no-server-header ' +
      '--no-request-buffering -t 2.5 --limit-request-body 10M a:b',
  )
  write('monoceros.config.json', toConfig(settings))
  expect(await load()).toEqual({ ...settings, config: join(cwd, 'monoceros.config.json') })
})

test('--print-config leaves out hooks, which JSON cannot hold', async () => {
  write('hooks.mjs', 'export default { workers: 3, onStarting() {}, onExit() {} }')
  const settings = await load('-c hooks.mjs a:b')
  expect(hooksOf(settings)).toEqual(['on_starting', 'on_exit'])
  write('printed.json', toConfig(settings))
  expect(await load('-c printed.json')).toMatchObject({ workers: 3, wsgiApp: 'a:b' })
})

test('a worker class that is not supported is refused with what to do', async () => {
  await expect(load('-k eventlet a:b')).rejects.toThrow(
    /^-k: "eventlet" is not supported. Install gevent, and use -k gevent \[MONO1038\]$/,
  )
})

test.each(['unix:@metrics', 'tls:127.0.0.1:9400', 'fd://3'])(
  'metrics_bind does not take %s, and says what it takes',
  async (address) => {
    await expect(load(`--metrics-bind ${address} a:b`)).rejects.toThrow(
      /^--metrics-bind: .*HOST:PORT, \[IPV6\]:PORT or unix:PATH, without TLS/,
    )
  },
)

test('help comes before everything else that is asked for', () => {
  expect(commandOf({ args: ['--version', '--help'] })).toBe('help')
  expect(commandOf({ args: ['--print-config', '--version'] })).toBe('version')
  expect(commandOf({ args: ['a', '--check-config'] })).toBe('check-config')
  expect(commandOf({ args: [], env: { MONOCEROS_CMD_ARGS: '--print-config' } })).toBe(
    'print-config',
  )
  expect(commandOf({ args: ['a'] })).toBeUndefined()
})
