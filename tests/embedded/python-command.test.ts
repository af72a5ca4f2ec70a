import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { djangoDirectory, temporaryDirectory } from '../support/applications.ts'
import { commandPath, repository } from '../support/build.ts'
import { hasPython, sitePackages, testPython } from '../support/python.ts'
import { waitFor, within } from '../support/wait-for.ts'

// `monoceros python` as a user meets it, on a machine that has no Python: PATH holds node and
// nothing else.

// Each run starts an interpreter, which takes a processor a second and more.
let folder: string
let environment: NodeJS.ProcessEnv
const temporary = temporaryDirectory()
afterAll(temporary.remove)

beforeAll(() => {
  folder = temporary.path
  mkdirSync(join(folder, 'bin'))
  symlinkSync(process.execPath, join(folder, 'bin', 'node'))
  const { HOME, MONOCEROS_CACHE } = process.env
  environment = {
    PATH: join(folder, 'bin'),
    HOME,
    MONOCEROS_CACHE,
    TERM: 'dumb',
    GREETING: 'hello',
  }
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
    const result = await within(`python ${args.join(' ')} to end`, 120_000, ended)
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
  test('a script has its name, arguments and folder, its packages, and Python’s options', async () => {
    const scripts = join(folder, 'scripts')
    mkdirSync(join(scripts, 'python_modules'), { recursive: true })
    writeFileSync(join(scripts, 'sibling.py'), 'NAME = "sibling"\n')
    writeFileSync(join(scripts, 'python_modules', 'installed.py'), 'NAME = "installed"\n')
    writeFileSync(
      join(scripts, 'show.py'),
      'import atexit, sys, json, os, sibling, installed, __main__\n' +
        'atexit.register(print, "over")\n' +
        'print(json.dumps([__name__, __file__, sys.argv, sys.path[0], os.getcwd(), ' +
        'sibling.NAME, installed.NAME,\n' +
        '                  __main__.__file__, os.environ["GREETING"], sys._xoptions, ' +
        'sys.warnoptions,\n' +
        '                  sys.dont_write_bytecode, sys.flags.utf8_mode]))\n' +
        'print("text", end=" ")\nraise SystemExit(256 + 3)\n',
    )
    const path = join(scripts, 'show.py')
    const { code, stdout, stderr } = await python(
      ['-B', '-X', 'dev', '-Wignore', 'scripts/show.py', 'a', '--mount'],
      { env: { PYTHONUTF8: '1' } },
    )
    const [shown, rest] = stdout.split('\n', 2)
    expect(JSON.parse(shown ?? '')).toEqual([
      '__main__',
      path,
      ['scripts/show.py', 'a', '--mount'],
      scripts,
      folder,
      'sibling',
      'installed',
      path,
      'hello',
      { dev: true },
      ['ignore'],
      true,
      1,
    ])
    // What was printed is written, and exit functions run.
    expect([rest, code, stderr]).toEqual(['text over', 3, ''])
  })

  test('an uncaught error is a traceback of the program’s own frames, wherever it is run', async () => {
    const path = join(folder, 'fails.py')
    writeFileSync(path, 'import warnings\n\n\ndef f():\n    warnings.warn("ü")\n\n\nf()\n')
    const { code, stdout, stderr } = await python(['-W', 'error', path], { cwd: '/' })
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toBe(
      `Traceback (most recent call last):\n  File "${path}", line 8, in <module>\n    f()\n` +
        '    ~^^\n' +
        `  File "${path}", line 5, in f\n    warnings.warn("ü")\n    ~~~~~~~~~~~~~^^^^^\n` +
        'UserWarning: ü\n',
    )
  })

  test('code has its arguments, and sees what is mounted', async () => {
    const bench = join(repository, 'bench')
    const code =
      'import os, sys; print(__name__, sys.argv, repr(sys.path[0]))\n' +
      `print("run.mjs" in os.listdir(${JSON.stringify(bench)})); sys.exit("bye")`
    const { code: status, stdout, stderr } = await python(['--mount', bench, '-c', code, 'x'])
    expect([status, stdout, stderr]).toEqual([1, "__main__ ['-c', 'x'] ''\nTrue\n", 'bye\n'])
  })

  test('a module of the standard library is called as its messages say', async () => {
    const { code, stdout, stderr } = await python(['-m', 'json.tool', '--compact'], {
      input: '{"a": [1, 2]}',
    })
    expect([code, stdout, stderr]).toEqual([0, '{"a":[1,2]}\n', ''])
    expect(await printed(['-m', 'unittest', '-h'])).toMatch(/^usage: monoceros python -m unittest /)
  })

  test('standard input can be the program, with an excepthook of its own', async () => {
    const input =
      'import sys\nprint(__name__, sys.argv, repr(sys.path[0]))\n' +
      'sys.excepthook = lambda *a: print("hook", a[0].__name__)\n1/0\n'
    const { code, stdout, stderr } = await python(['-', 'x'], { input })
    expect([code, stdout, stderr]).toEqual([
      1,
      "__main__ ['-', 'x'] ''\nhook ZeroDivisionError\n",
      '',
    ])
  })

  test('a folder is run by its __main__, and standard input is read as bytes and as text, of any size', async () => {
    const input = 'zwölf Boxkämpfer\n'.repeat(16_000)
    const package_ = join(folder, 'package')
    mkdirSync(package_)
    writeFileSync(
      join(package_, '__main__.py'),
      'import sys, hashlib, json\n' +
        'first = sys.stdin.buffer.readline()\nbytes_ = sys.stdin.buffer.read(200_000)\n' +
        'second = input()\nrest = sys.stdin.read()\n' +
        'print(json.dumps([__name__, sys.argv, first.decode(), second, ' +
        'hashlib.sha256(bytes_).hexdigest(),\n' +
        '                  hashlib.sha256(rest.encode()).hexdigest(), sys.stdin.read(), ' +
        'sys.stdin.isatty()]))\n',
    )
    const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')
    const bytes = Buffer.from(input).subarray(0, 200_000)
    const more = Buffer.concat([bytes, Buffer.from('Zeile\n'), Buffer.from(input)])
    const stdout = await printed(['package', 'x'], {
      input: Buffer.concat([Buffer.from('ü\n'), more]),
    })
    expect(JSON.parse(stdout)).toEqual([
      '__main__',
      ['package', 'x'],
      'ü\n',
      'Zeile',
      sha256(bytes),
      sha256(input),
      '',
      false,
    ])
  })

  test('-V prints the version and --help its options, wherever', async () => {
    expect(await printed(['-V'], { cwd: '/' })).toMatch(/^Python 3\.\d+\.\d+\n$/)
    expect(await printed(['--help'])).toMatch(/^Usage: monoceros python /)
  })
})

describe('what it sees', () => {
  test('files outside of the working directory only when they are mounted, and what the server’s config file names', async () => {
    const project = join(folder, 'configured')
    mkdirSync(join(project, 'lib'), { recursive: true })
    writeFileSync(join(project, 'lib', 'library.py'), 'VALUE = 5\n')
    const outside = join(folder, 'outside')
    // The folder for temporary files is seen, so these must not be in it.
    for (const name of [outside, join(folder, 'temporary')]) mkdirSync(name)
    const [kept, secret] = [join(outside, 'kept'), join(outside, 'secret')]
    for (const name of [kept, secret]) writeFileSync(name, 'as it was')
    const config = { pythonpath: ['lib'], mounts: [`${kept}:ro`] }
    writeFileSync(join(project, 'monoceros.config.json'), JSON.stringify(config))
    const code =
      'import library, os\nprint(library.VALUE, os.environ["A"])\n' +
      `print(open(${JSON.stringify(kept)}).read())\n` +
      `for name, mode in ((${JSON.stringify(secret)}, "rb"), (${JSON.stringify(kept)}, "ab")):\n` +
      '  try: open(name, mode)\n  except OSError as error: print(error.strerror)\n'
    const env = { TMPDIR: join(folder, 'temporary') }
    expect(await printed(['-e', 'A=b', '-c', code], { cwd: project, env })).toBe(
      '5 b\nas it was\nNo such file or directory\nRead-only file system\n',
    )
    expect(readFileSync(kept, 'utf8')).toBe('as it was')
  })
})

describe('what it has', () => {
  test('passwords’ keys, coroutines, a limit of recursion, a prefix of its own, and no WAL', async () => {
    const database = join(folder, 'log.sqlite3')
    const code = `
import asyncio, hashlib, os, sqlite3, sys

print(hashlib.pbkdf2_hmac("sha256", b"passwd", memoryview(b"salt"), 1).hex())
print(hashlib.scrypt(b"", salt=b"", n=16, r=1, p=1).hex()[:16])
for call in (lambda: hashlib.pbkdf2_hmac("nosuch", b"", b"", 1), lambda: hashlib.scrypt(b"", salt=b"", n=3, r=1, p=1)):
    try: call()
    except ValueError as error: print(error)

async def main():
    return await asyncio.wait_for(asyncio.sleep(0.01, "slept"), 60)
print(asyncio.run(main()))

def f(): return f()
try: f()
except RecursionError as error: print(error)
print(os.getcwd().startswith(sys.prefix.rstrip("/") + "/"))

connection = sqlite3.connect(${JSON.stringify(database)})
print(*connection.execute("PRAGMA journal_mode=WAL").fetchone())
connection.execute("CREATE TABLE a(b)")
`
    const { code: status, stdout, stderr } = await python(['-c', code])
    expect([status, stdout.split('\n')]).toEqual([
      0,
      [
        '55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc',
        '77d6576238657b20',
        'unsupported hash type nosuch',
        'n must be a power of 2.',
        'slept',
        expect.stringContaining('maximum recursion depth exceeded'),
        'False',
        'delete',
        '',
      ],
    ])
    expect(stderr).toBe('')
  })
})

describe('how it ends', () => {
  test('js.process.exit() is an exit', async () => {
    const { code, stdout, stderr } = await python(['-c', 'import js; js.process.exit(6)'])
    expect([code, stdout, stderr]).toEqual([6, '', ''])
  })

  test('a syntax error has no traceback', async () => {
    const { code, stderr } = await python(['-c', 'print(1'])
    expect([code, stderr]).toEqual([
      1,
      `  File "<string>", line 1\n    print(1\n         ^\nSyntaxError: '(' was never closed\n`,
    ])
  })

  test('an error of JavaScript’s is an exception, and an error that cannot be printed does no harm', async () => {
    const unspeakable =
      'import js\nclass E(Exception):\n  def __str__(self): raise ValueError\n' +
      'try: js.eval("throw new Error(1)")\nexcept Exception as error: raise E from error'
    const { code, stderr } = await python(['-c', unspeakable])
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/JsException: Error: 1\n.*E: <exception str\(\) failed>\n$/s),
    ])
  })

  test('a breakdown is a line, and where it was in Python', async () => {
    const { code, stderr } = await python(['-c', 'def f():\n  import os; os.abort()\nf()'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^monoceros: the embedded Python broke down: .*aborted.* \[MONO7002\]$/m)
    expect(stderr).toMatch(/^ {2}File "<string>", line 2 in f$/m)
  })

  test('a reader that goes away ends it quietly', async () => {
    const { child, result, ended } = start(['-c', 'for i in range(10**7): print(i)'])
    await waitFor('output', () => result.stdout.length > 0, 30_000)
    child.stdout.destroy()
    const { code, stderr } = await within('the program to end', 30_000, ended)
    expect([code, stderr]).toEqual([1, ''])
  })

  test('a reader that takes its time gets everything, even before os._exit()', async () => {
    const code =
      'import os, sys; sys.stdout.buffer.write(b"x" * 3_000_000); print(flush=True); ' +
      'print("end", file=sys.stderr); os._exit(5)'
    const { child, ended } = start(['-c', code])
    child.stdin.end()
    child.stdout.pause()
    await waitFor(
      'the pipe to be full',
      () => child.stdout.readableLength > 0 || child.exitCode !== null,
      30_000,
    )
    child.stdout.resume()
    const { stdout, stderr, code: status } = await within('the program to end', 30_000, ended)
    expect([stdout.length, stderr, status]).toEqual([3_000_001, 'end\n', 5])
  })
})

describe('signals', () => {
  test('SIGINT is KeyboardInterrupt: while it computes, sleeps and reads', async () => {
    const works = ['while True: pass', 'time.sleep(1000)', 'sys.stdin.buffer.read()', 'input()']
    const code =
      'import sys, time\n' +
      works
        .map(
          (work, number) =>
            // Two signals at once are one.
            `time.sleep(0.2)\ntry:\n  print("ready", ${number}, flush=True)\n  ${work}\n` +
            'except KeyboardInterrupt:\n  print("interrupted")\n' +
            `${number < works.length - 1 ? '' : '  raise\n'}`,
        )
        .join('')
    const { child, result, ended } = start(['-c', code])
    for (const [number, work] of works.entries()) {
      await waitFor(`${work} to begin`, () => result.stdout.endsWith(`ready ${number}\n`), 30_000)
      child.kill('SIGINT')
    }
    const end = await within('the last to be interrupted', 30_000, ended)
    expect([end.code, end.stdout]).toEqual([
      130,
      works.map((_, number) => `ready ${number}\ninterrupted\n`).join(''),
    ])
    expect(end.stderr).toMatch(/^Traceback .*KeyboardInterrupt\n$/s)
    expectNoJavaScript(end)
  })

  test('a second SIGINT ends what does not heed the first', async () => {
    const { child, result, ended } = start(['-c', 'print("ready", flush=True)\nsum(range(10**13))'])
    await waitFor('the program to run', () => result.stdout === 'ready\n', 30_000)
    const timer = setInterval(() => child.kill('SIGINT'), 200)
    const end = await within('the program to end', 30_000, ended).finally(() =>
      clearInterval(timer),
    )
    // One that comes while the process is on its way out finds nobody who takes it: a shell sees
    // 130 then, too.
    expect([end.code ?? 130, end.signal ?? 'SIGINT']).toEqual([130, 'SIGINT'])
  })

  test('SIGTERM ends it at once', async () => {
    const { child, result, ended } = start(['-c', 'print("ready", flush=True)\nwhile True: pass'])
    await waitFor('the program to run', () => result.stdout === 'ready\n', 30_000)
    child.kill('SIGTERM')
    expect(await within('the program to end', 30_000, ended)).toMatchObject({
      signal: 'SIGTERM',
      stderr: '',
    })
  })
})

describe('what is wrong or not there', () => {
  test('mistakes are a line, and status 2', async () => {
    for (const [args, message] of [
      [
        ['--mounts', 'x'],
        /^monoceros: python: Unknown option "--mounts" \(did you mean --mount\?\).*\n$/,
      ],
      [
        ['nothere.py'],
        /^monoceros: python: cannot open .*\/nothere\.py: no such file \[MONO7001\]\n$/,
      ],
      [['--env', 'x', '-c', ''], /^monoceros: --env: .*\n$/],
    ] as const) {
      const { code, stdout, stderr } = await python([...args])
      expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(message)])
    }
    const mount = await python(['--mount', '/nothere', '-c', ''])
    expect([mount.code, mount.stderr]).toEqual([
      1,
      'monoceros: --mount /nothere: /nothere does not exist [MONO2051]\n',
    ])
  })

  test.each([
    ['nothere', /^monoceros python: No module named nothere\. .*monoceros install nothere\n$/],
    [
      'pip',
      /^monoceros python: pip has no network here; use monoceros install instead of pip install\n$/,
    ],
    [
      'venv',
      /^monoceros python: No module named venv; no virtual environment is needed: monoceros install .*python_modules/,
    ],
  ])('-m %s', async (module, message) => {
    const { code, stdout, stderr } = await python(['-m', module, 'install', 'flask'])
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(message)])
  })

  test('what it has not is an error that says what to do, at its prompt as at its end', async () => {
    const program = 'import flask'
    const lines = [
      'import os, subprocess, threading, http.server, urllib.request as r',
      'subprocess.run(["ls"])',
      'os.system("ls")',
      'threading.Thread(target=print).start()',
      'r.urlopen("http://127.0.0.1:9")',
      'r.urlopen("http://example.org")',
      'http.server.test(port=0)',
      'import multiprocessing.synchronize',
      'print("end")',
    ]
    const { code, stdout, stderr } = await python(['-i', '-c', program], {
      input: `${lines.join('\n')}\n`,
    })
    expect([code, stdout.includes('end\n')]).toEqual([0, true])
    const errors = stderr.split(/^Traceback .*\n/m).slice(1)
    expect(errors).toEqual([
      expect.stringMatching(
        /ModuleNotFoundError.*\n\nmonoceros python: .*monoceros install flask\n/,
      ),
      expect.stringMatching(
        /\n\nmonoceros python: the embedded Python cannot run other programs\./,
      ),
      expect.stringMatching(/OSError: .* cannot run other programs/),
      expect.stringMatching(
        /can't start new thread\n\nmonoceros python: .*no threads.*MODULE:NAME/,
      ),
      // urllib's own error follows that of the socket.
      expect.stringMatching(/OSError: .*the embedded Python has no network/),
      expect.stringMatching(/URLError: .*the embedded Python has no network/),
      expect.stringMatching(/gaierror: .*the embedded Python has no network/),
      expect.stringMatching(/URLError: .*the embedded Python has no network/),
      expect.stringMatching(/OSError: .*no server can listen in it; .*monoceros MODULE:NAME/),
      expect.stringMatching(
        /\n\nmonoceros python: 'multiprocessing' is .* not in that of the embedded Python/,
      ),
    ])
  })
})

describe.skipIf(!hasPython())('in a terminal', () => {
  /** Types as soon as something is shown. */
  async function terminal(args: string[], steps: [see: string, type: string][]) {
    const driver = join(import.meta.dirname, '..', 'support', 'terminal.py')
    const command = [process.execPath, commandPath, 'python', ...args]
    const { stdout } = await promisify(execFile)(
      testPython().executable,
      [driver, JSON.stringify(steps), ...command],
      { cwd: folder, env: { ...environment, PYTHONHOME: undefined } },
    )
    return JSON.parse(stdout) as { shown: string; status: number | null }
  }

  test('input() asks, streams know what they are, and passwords are not shown, corrected and interrupted', async () => {
    const code =
      'import getpass, os, sys\n' +
      'print("hi", input("name? "), sys.stdin.isatty(), sys.stdout.isatty(), ' +
      'os.get_terminal_size().columns)\n' +
      'print(getpass.getpass("Pass: ") == "secret", input("again: "))\ngetpass.getpass("Word: ")\n'
    const { shown, status } = await terminal(
      ['-c', code],
      [
        ['name\\? ', 'Zoë\n'],
        ['Pass: ', 'secrxx\x7f\x7fet\r'],
        ['again: ', 'b\n'],
        ['Word: ', 'abc\x03'],
      ],
    )
    expect(shown).toMatch(
      /^name\? Zoë\nhi Zoë True True 80\nPass: \nagain: b\nTrue b\nWord: \n.*KeyboardInterrupt\n$/s,
    )
    expect([status, shown]).toEqual([130, expect.not.stringContaining('abc')])
  })

  test('the prompt evaluates, survives errors and Ctrl-C, and ends with exit()', async () => {
    const { shown, status } = await terminal(
      [],
      [
        ['>>> ', '6 * 7\n'],
        ['42\\s+>>> ', '1/0\n'],
        ['ZeroDivisionError.*\\s+>>> ', 'x = 1\x03'],
        // Keys that follow each other so fast are one, as a signal may come twice.
        [
          'KeyboardInterrupt\\s+>>> ',
          'import time; time.sleep(0.2); print("z" * 3); time.sleep(1000)\n',
        ],
        ['zzz', '\x03'],
        ['KeyboardInterrupt\\s+>>> ', 'exit(4)\n'],
      ],
    )
    expect(status, shown).toBe(4)
    expect(shown).toMatch(/^Python 3\.\S+ as WebAssembly/)
    expectNoJavaScript({ code: 0, signal: null, stdout: shown, stderr: '' })
  })

  test('Ctrl-D ends the prompt', async () => {
    expect((await terminal(['-q'], [['>>> ', '\x04']])).status).toBe(0)
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
        'class FirstTest(TestCase):\n    def test_page(self):\n        ' +
        'self.assertEqual(self.client.get("/nothere").status_code, 404)\n',
    )
  })

  test('is migrated, given a superuser, looked into and tested', async () => {
    const code = `
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher, ScryptPasswordHasher
from django.contrib.auth.models import User
from django.core.management import call_command
from notes.models import Note

call_command("migrate")
call_command("createsuperuser", interactive=False, username="admin", email="a@example.org")
print(User.objects.get().check_password("secret"))
# Less work than is safe.
PBKDF2PasswordHasher.iterations, ScryptPasswordHasher.work_factor = 10_000, 2**10
for hasher in (PBKDF2PasswordHasher(), ScryptPasswordHasher()):
    encoded = hasher.encode("word", hasher.salt())
    print(encoded.split("$")[0], hasher.verify("word", encoded), hasher.verify("work", encoded))
Note.objects.create(title="Zwölf")
call_command("dumpdata", "notes", output="notes.json")
Note.objects.all().delete()
call_command("loaddata", "notes.json")
print(Note.objects.get())
settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
call_command("collectstatic", interactive=False)
call_command("check")
`
    const { stdout, stderr } = await python(['manage.py', 'shell', '-v', '0', '-c', code], {
      cwd: project,
      env: { DJANGO_SUPERUSER_PASSWORD: 'secret' },
    })
    const lines = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('  '))
    expect([lines, stderr]).toEqual([
      [
        'Operations to perform:',
        'Running migrations:',
        'Superuser created successfully.',
        'True',
        'pbkdf2_sha256 True False',
        'scrypt True False',
        'Installed 1 object(s) from 1 fixture(s)',
        'Zwölf',
        expect.stringMatching(/static files copied to /),
        expect.stringMatching(/no issues/),
      ],
      '',
    ])
    expect(stdout).toMatch(/Applying notes\.0001_initial\.\.\. OK/)
    expect(readdirSync(join(project, 'data'))).toContain('site.sqlite3')
    expect(readdirSync(join(project, 'data', 'static'))).toContain('staticfiles.json')
    const tests = await python(['manage.py', 'test', 'notes'], { cwd: project })
    expect([tests.code, tests.stderr]).toEqual([
      0,
      expect.stringMatching(/Ran 1 test in .*\n\nOK\n/),
    ])
  })

  test('runserver says what to do instead', async () => {
    const { code, stderr } = await python(['manage.py', 'runserver'], { cwd: project })
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^monoceros python: manage\.py runserver .*monoceros MODULE:NAME.*\n$/),
    ])
  })
})
