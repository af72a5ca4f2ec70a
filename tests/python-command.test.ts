import { execFile, spawn } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { djangoDirectory, temporaryDirectory } from './support/applications.ts'
import { commandPath, repository } from './support/build.ts'
import { hasPython, sitePackages, testPython } from './support/python.ts'
import { waitFor, within } from './support/wait-for.ts'

// `monoceros python` as a user meets it, on a machine that has no Python: PATH holds node and nothing else.

// Each run starts an interpreter, which takes a processor a second and more.
vi.setConfig({ testTimeout: 120_000 })

let folder: string
let environment: NodeJS.ProcessEnv
const temporary = temporaryDirectory()
afterAll(temporary.remove)

beforeAll(() => {
  folder = temporary.path
  mkdirSync(join(folder, 'bin'))
  symlinkSync(process.execPath, join(folder, 'bin', 'node'))
  environment = { PATH: join(folder, 'bin'), HOME: process.env.HOME, TERM: 'dumb', GREETING: 'hello' }
})

interface Result {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

interface Options {
  cwd?: string
  input?: string | Buffer
  env?: NodeJS.ProcessEnv
}

function start(args: string[], { cwd = folder, env = {} }: Options = {}) {
  const child = spawn(process.execPath, [commandPath, 'python', ...args], {
    cwd,
    env: { ...environment, ...env },
  })
  const result: Result = { code: null, signal: null, stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      result[name] += text
    })
  }
  const ended = new Promise<Result>((resolve) => {
    child.on('close', (code, signal) => resolve(Object.assign(result, { code, signal })))
  })
  return { child, result, ended }
}

/** Runs `monoceros python` to its end, and sees to it that nothing of JavaScript's is shown. */
async function python(args: string[], options: Options = {}): Promise<Result> {
  const { child, ended } = start(args, options)
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? '')
  try {
    const result = await within(`python ${args.join(' ')} to end`, 60_000, ended)
    expectNoJavaScript(result)
    return result
  } finally {
    child.kill('SIGKILL')
  }
}

function expectNoJavaScript({ stdout, stderr }: Result): void {
  expect(stdout + stderr).not.toMatch(
    /\n\s+at .*[([/]|pyodide\.asm|node:internal|\/_pyodide\/|monoceros_pyodide\//,
  )
}

/** What a program printed; it must have ended well. */
async function printed(args: string[], options: Options = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await python(args, options)
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' })
  return stdout
}

describe('the program', () => {
  test('a script has its name, arguments and folder, and its packages', async () => {
    const scripts = join(folder, 'scripts')
    mkdirSync(join(scripts, 'python_modules'), { recursive: true })
    writeFileSync(join(scripts, 'sibling.py'), 'NAME = "sibling"\n')
    writeFileSync(join(scripts, 'python_modules', 'installed.py'), 'NAME = "installed"\n')
    writeFileSync(
      join(scripts, 'show.py'),
      'import sys, json, os, sibling, installed, __main__\n' +
        'print(json.dumps([__name__, __file__, sys.argv, sys.path[0], os.getcwd(), sibling.NAME, installed.NAME,\n' +
        '                  __main__.__file__, os.environ["GREETING"]]))\n',
    )
    const path = join(scripts, 'show.py')
    for (const [cwd, name] of [
      [folder, 'scripts/show.py'],
      ['/', path],
    ] as const) {
      const shown = JSON.parse(await printed([name, 'a', '--mount'], { cwd }))
      expect(shown).toEqual([
        '__main__',
        path,
        [name, 'a', '--mount'],
        scripts,
        cwd,
        'sibling',
        'installed',
        path,
        'hello',
      ])
    }
  })

  test('code, a module, a folder, and standard input', async () => {
    const code = 'import sys; print(__name__, sys.argv, repr(sys.path[0]))'
    expect(await printed(['-c', code, 'x'])).toBe("__main__ ['-c', 'x'] ''\n")
    expect(await printed(['-m', 'json.tool', '--compact'], { input: '{"a": [1, 2]}' })).toBe('{"a":[1,2]}\n')
    expect(await printed(['-', 'x'], { input: code })).toBe("__main__ ['-', 'x'] ''\n")
    const package_ = join(folder, 'package')
    mkdirSync(package_)
    writeFileSync(join(package_, '__main__.py'), 'import sys; print(__name__, sys.argv)')
    expect(await printed(['package', 'x'])).toBe("__main__ ['package', 'x']\n")
  })

  test('-V prints the version and --help its options, wherever', async () => {
    expect(await printed(['-V'], { cwd: '/' })).toMatch(/^Python 3\.\d+\.\d+\n$/)
    expect(await printed(['--help'])).toMatch(/^Usage: monoceros python /)
  })

  test('standard input is read as lines and as bytes, of any size', async () => {
    const input = Buffer.alloc(300_000, 'zwölf Boxkämpfer\n')
    const code =
      'import sys, hashlib\nline = input()\nrest = sys.stdin.buffer.read()\n' +
      'print(line, len(rest), hashlib.sha256(rest).hexdigest(), sys.stdin.read() == "", sys.stdin.isatty())'
    const { createHash } = await import('node:crypto')
    const rest = Buffer.concat([Buffer.from('ü\n'), input])
    const digest = createHash('sha256').update(input).digest('hex')
    expect(await printed(['-c', code], { input: rest })).toBe(`ü ${input.length} ${digest} True False\n`)
  })

  test('warnings, options and PYTHON variables are as usual', async () => {
    const code =
      'import sys; print(sys._xoptions, sys.warnoptions, sys.dont_write_bytecode, sys.flags.utf8_mode)'
    expect(await printed(['-B', '-X', 'dev', '-Wignore', '-c', code], { env: { PYTHONUTF8: '1' } })).toBe(
      "{'dev': True} ['ignore'] True 1\n",
    )
    const { code: status, stderr } = await python([
      '-W',
      'error',
      '-c',
      'import warnings; warnings.warn("no")',
    ])
    expect([status, stderr]).toEqual([1, expect.stringContaining('UserWarning: no')])
  })
})

describe('what it sees', () => {
  test('files outside of the working directory only when they are mounted', async () => {
    // Not in the folder for temporary files, which is seen.
    const path = join(repository, 'README.md')
    const open = `print(len(open(${JSON.stringify(path)}, "rb").read()))`
    const hidden = await python(['-c', open])
    expect([hidden.code, hidden.stderr]).toEqual([1, expect.stringContaining('FileNotFoundError')])
    const length = readFileSync(path).length
    expect(await printed(['--mount', `${path}:ro`, '-c', open])).toBe(`${length}\n`)
    const written = await python(['--mount', `${path}:ro`, '-c', open.replace('"rb"', '"ab"')])
    expect([written.code, written.stderr]).toEqual([1, expect.stringContaining('Read-only file system')])
    expect(readFileSync(path)).toHaveLength(length)
  })

  test('what the config file of the server says counts, and -e adds variables', async () => {
    const project = join(folder, 'configured')
    mkdirSync(join(project, 'lib'), { recursive: true })
    writeFileSync(join(project, 'lib', 'library.py'), 'VALUE = 5\n')
    const config = { pythonpath: ['lib'], mounts: [join(repository, 'bench')] }
    writeFileSync(join(project, 'monoceros.config.json'), JSON.stringify(config))
    const code = `import library, os; print(library.VALUE, os.environ["A"], "run.mjs" in os.listdir(${JSON.stringify(join(repository, 'bench'))}))`
    expect(await printed(['-e', 'A=b', '-c', code], { cwd: project })).toBe('5 b True\n')
  })
})

describe('how it ends', () => {
  test.each([
    ['raise SystemExit(256 + 3)', 3, ''],
    ['import sys; sys.exit("bye")', 1, 'bye\n'],
    ['import os; os._exit(5)', 5, ''],
    ['import js; js.process.exit(6)', 6, ''],
  ])('%s', async (code, status, error) => {
    const result = await python(['-c', code])
    expect([result.code, result.stderr, result.stdout]).toEqual([status, error, ''])
  })

  test('exit functions run, and what was printed is written', async () => {
    const code = 'import atexit; atexit.register(print, "over"); print("text", end=" ")'
    expect(await printed(['-c', code])).toBe('text over\n')
  })

  test('an uncaught error is a traceback of the program’s own frames', async () => {
    writeFileSync(join(folder, 'fails.py'), 'def f():\n    raise ValueError("ü")\n\n\nf()\n')
    const { code, stdout, stderr } = await python(['fails.py'])
    const path = join(folder, 'fails.py')
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toBe(
      `Traceback (most recent call last):\n  File "${path}", line 5, in <module>\n    f()\n    ~^^\n` +
        `  File "${path}", line 2, in f\n    raise ValueError("ü")\nValueError: ü\n`,
    )
  })

  test('a syntax error has no traceback', async () => {
    const { code, stderr } = await python(['-c', 'print(1'])
    expect([code, stderr]).toEqual([
      1,
      `  File "<string>", line 1\n    print(1\n         ^\nSyntaxError: '(' was never closed\n`,
    ])
  })

  test('an error of JavaScript’s is an exception, and a breakdown a line', async () => {
    const thrown = await python(['-c', 'import js; js.eval("throw new Error(1)")'])
    expect([thrown.code, thrown.stderr]).toEqual([1, expect.stringMatching(/JsException: Error: 1\n$/)])
    const aborted = await python(['-c', 'def f():\n  import os; os.abort()\nf()'])
    expect(aborted.code).toBe(1)
    expect(aborted.stderr).toMatch(/^monoceros: the embedded Python broke down: .*aborted/m)
    expect(aborted.stderr).toMatch(/^ {2}File "<string>", line 2 in f$/m)
  })

  test('a broken error message or excepthook does no harm', async () => {
    const unspeakable = 'class E(Exception):\n  def __str__(self): raise ValueError\nraise E'
    const { code, stderr } = await python(['-c', unspeakable])
    expect([code, stderr]).toEqual([1, expect.stringMatching(/E: <exception str\(\) failed>\n$/)])
    const hook = await python([
      '-c',
      'import sys; sys.excepthook = lambda *a: print("hook", a[0].__name__)\n1/0',
    ])
    expect([hook.code, hook.stdout, hook.stderr]).toEqual([1, 'hook ZeroDivisionError\n', ''])
  })

  test('a reader that goes away ends it quietly', async () => {
    const { child, result, ended } = start(['-c', 'for i in range(10**7): print(i)'])
    await waitFor('output', () => result.stdout.length > 0, 30_000)
    child.stdout.destroy()
    const { code, stderr } = await within('the program to end', 30_000, ended)
    expect([code, stderr]).toEqual([1, ''])
  })

  test('a reader that takes its time gets everything', async () => {
    const code =
      'import sys; sys.stdout.buffer.write(b"x" * 3_000_000); print(); print("end", file=sys.stderr)'
    const { child, ended } = start(['-c', code])
    child.stdin.end()
    child.stdout.pause()
    await waitFor(
      'the pipe to be full',
      () => child.stdout.readableLength > 0 || child.exitCode !== null,
      30_000,
    )
    child.stdout.resume()
    const { stdout, stderr } = await within('the program to end', 30_000, ended)
    expect([stdout.length, stderr]).toEqual([3_000_001, 'end\n'])
  })
})

describe('signals', () => {
  test('SIGINT is KeyboardInterrupt: while it computes, sleeps and reads', async () => {
    for (const work of ['while True: pass', 'import time; time.sleep(1000)', 'input()']) {
      const code = `print("ready", flush=True)\ntry:\n  ${work}\nexcept KeyboardInterrupt: print("interrupted"); raise`
      const { child, result, ended } = start(['-c', code])
      await waitFor('the program to run', () => result.stdout === 'ready\n', 30_000)
      child.kill('SIGINT')
      const end = await within(`${work} to be interrupted`, 30_000, ended)
      expect([end.code, end.stdout]).toEqual([130, 'ready\ninterrupted\n'])
      expect(end.stderr).toMatch(/KeyboardInterrupt\n$/)
      expectNoJavaScript(end)
    }
  })

  test('a second SIGINT ends what does not heed the first', async () => {
    const { child, result, ended } = start(['-c', 'print("ready", flush=True)\nsum(range(10**13))'])
    await waitFor('the program to run', () => result.stdout === 'ready\n', 30_000)
    const timer = setInterval(() => child.kill('SIGINT'), 200)
    const end = await within('the program to end', 30_000, ended).finally(() => clearInterval(timer))
    expect([end.code, end.signal]).toEqual([130, null])
  })

  test('SIGTERM ends it at once', async () => {
    const { child, result, ended } = start(['-c', 'print("ready", flush=True)\nwhile True: pass'])
    await waitFor('the program to run', () => result.stdout === 'ready\n', 30_000)
    child.kill('SIGTERM')
    expect(await within('the program to end', 30_000, ended)).toMatchObject({ signal: 'SIGTERM', stderr: '' })
  })
})

describe('what is wrong or not there', () => {
  test('mistakes are a line, and status 2', async () => {
    for (const [args, message] of [
      [['--mounts', 'x'], /^monoceros: python: Unknown option "--mounts" \(did you mean --mount\?\).*\n$/],
      [['nothere.py'], /^monoceros: python: cannot open .*\/nothere\.py: there is no such file\n$/],
      [['--env', 'x', '-c', ''], /^monoceros: --env: .*\n$/],
    ] as const) {
      const { code, stdout, stderr } = await python([...args])
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(message)])
    }
    const mount = await python(['--mount', '/nothere', '-c', ''])
    expect([mount.code, mount.stderr]).toEqual([
      1,
      'monoceros: --mount /nothere: there is nothing at /nothere\n',
    ])
  })

  test.each([
    [['-m', 'nothere'], /^monoceros python: No module named nothere\. .*monoceros install nothere\n$/],
    [['-m', 'pip'], /^monoceros python: No module named pip; monoceros install does/],
    [['-c', 'import flask'], /ModuleNotFoundError.*\n\nmonoceros python: .*monoceros install flask\n$/],
    [['-c', 'import subprocess; subprocess.run(["ls"])'], /cannot run other programs/],
    [['-m', 'http.server', '0'], /no network.*\n\nmonoceros python: To serve an application: /],
    [
      ['-c', 'import urllib.request as r; r.urlopen("http://example.org")'],
      /the embedded Python has no network/,
    ],
  ])('%j', async (args, message) => {
    const { code, stderr } = await python(args)
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)])
  })

  test('threads, commands and connections are errors that say so', async () => {
    const code =
      'import os, threading, urllib.request\n' +
      'for action in (lambda: os.system("ls"), threading.Thread(target=print).start,\n' +
      '               lambda: urllib.request.urlopen("http://127.0.0.1:9"), lambda: urllib.request.urlopen("http://example.org")):\n' +
      '  try: action()\n  except (OSError, RuntimeError) as error: print(error)\n'
    const lines = (await printed(['-c', code])).split('\n')
    expect(lines).toEqual([
      expect.stringContaining('cannot run other programs'),
      "can't start new thread",
      expect.stringContaining('has no network'),
      expect.stringContaining('has no network'),
      '',
    ])
  })
})

describe.skipIf(!hasPython())('in a terminal', () => {
  /** Types as soon as something is shown. */
  async function terminal(args: string[], steps: [see: string, type: string][]) {
    const driver = join(import.meta.dirname, 'support', 'terminal.py')
    const command = [process.execPath, commandPath, 'python', ...args]
    const { stdout } = await promisify(execFile)(
      testPython().executable,
      [driver, JSON.stringify(steps), ...command],
      { cwd: folder, env: { ...environment, PYTHONHOME: undefined } },
    )
    return JSON.parse(stdout) as { shown: string; status: number | null }
  }

  test('input() asks, and streams know what they are', async () => {
    const code =
      'import sys, os; print("hi", input("name? "), sys.stdin.isatty(), sys.stdout.isatty(), os.get_terminal_size().columns)'
    const { shown, status } = await terminal(['-c', code], [['name\\? ', 'Zoë\n']])
    expect([shown, status]).toEqual(['name? Zoë\nhi Zoë True True 80\n', 0])
  })

  test('passwords are not shown, and can be corrected', async () => {
    const code = 'import getpass; p = getpass.getpass("Pass: "); print(p == "secret", input("again: "))'
    const { shown, status } = await terminal(
      ['-c', code],
      [
        ['Pass: ', 'secrxx\x7f\x7fet\r'],
        ['again: ', 'b\n'],
      ],
    )
    expect([shown, status]).toEqual(['Pass: \nagain: b\nTrue b\n', 0])
  })

  test('the prompt evaluates, survives errors and Ctrl-C, and ends with exit()', async () => {
    const { shown, status } = await terminal(
      [],
      [
        ['>>> ', '6 * 7\n'],
        ['42\\s+>>> ', '1/0\n'],
        ['ZeroDivisionError.*\\s+>>> ', 'x = 1\x03'],
        ['KeyboardInterrupt\\s+>>> ', 'print("z" * 3); import time; time.sleep(1000)\n'],
        ['zzz', '\x03'],
        ['KeyboardInterrupt\\s+>>> ', 'exit(4)\n'],
      ],
    )
    expect(status, shown).toBe(4)
    expect(shown).toMatch(/^Python 3\.\S+ as WebAssembly/)
    expectNoJavaScript({ code: 0, signal: null, stdout: shown, stderr: '' })
  })

  test('Ctrl-D ends the prompt, Ctrl-C a password’s', async () => {
    expect((await terminal(['-q'], [['>>> ', '\x04']])).status).toBe(0)
    const code = 'import getpass; getpass.getpass("Pass: ")'
    const { shown, status } = await terminal(['-c', code], [['Pass: ', 'abc\x03']])
    expect([status, shown]).toEqual([130, expect.stringMatching(/KeyboardInterrupt\n$/)])
  })
})

describe.skipIf(!hasPython())('a Django project', () => {
  let project: string

  beforeAll(() => {
    project = join(folder, 'project')
    cpSync(djangoDirectory, project, {
      recursive: true,
      filter: (path) => !path.includes('__pycache__'),
    })
    mkdirSync(join(project, 'data', 'static'), { recursive: true })
    const config = { pythonpath: [sitePackages()], raw_env: [`TEST_DATA=${join(project, 'data')}`] }
    writeFileSync(join(project, 'monoceros.config.json'), JSON.stringify(config))
    writeFileSync(
      join(project, 'notes', 'tests.py'),
      'from django.test import TestCase\n\n\n' +
        'class FirstTest(TestCase):\n    def test_page(self):\n        self.assertEqual(self.client.get("/nothere").status_code, 404)\n',
    )
  })

  test('is migrated, given a superuser, looked into and tested', async () => {
    const manage = (...args: string[]) => printed(['manage.py', ...args], { cwd: project })
    expect(await manage('migrate', '--verbosity', '1')).toMatch(/Applying notes\.0001_initial\.\.\. OK/)
    expect(readdirSync(join(project, 'data'))).toContain('site.sqlite3')
    const user = await python(
      ['manage.py', 'createsuperuser', '--noinput', '--username', 'admin', '--email', 'a@example.org'],
      { cwd: project, env: { DJANGO_SUPERUSER_PASSWORD: 'secret' } },
    )
    expect([user.code, user.stdout]).toEqual([0, 'Superuser created successfully.\n'])
    const code =
      'from django.contrib.auth.models import User; print(User.objects.get().check_password("secret"))'
    expect(await manage('shell', '-v', '0', '-c', code)).toBe('True\n')
    expect(await manage('check')).toMatch(/no issues/)
    const tests = await python(['manage.py', 'test', 'notes'], { cwd: project })
    expect([tests.code, tests.stderr]).toEqual([0, expect.stringMatching(/Ran 1 test in .*\n\nOK\n/)])
  })

  test('runserver says what to do instead', async () => {
    const { code, stderr } = await python(['manage.py', 'runserver'], { cwd: project })
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^monoceros python: manage\.py runserver .*monoceros MODULE:NAME.*\n$/),
    ])
  })
})
