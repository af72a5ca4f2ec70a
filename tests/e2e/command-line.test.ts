import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { TABLE } from '../../src/messages/table.ts'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { get, startPlain } from '../support/plain-application.ts'
import { descendantsOf, waitUntilGone } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { runCommand, runCommandHere, startServer } from '../support/server.ts'
import { waitFor, within } from '../support/wait-for.ts'

// The command as a user meets it: what it prints, what it exits with, what its signals do.

const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
const faulty = join(appsDirectory, 'faulty')

/** Runs the command on a free port in the directory of the faulty applications. */
const run = (...args: string[]) => runCommand(['--bind', '127.0.0.1:0', ...args], { cwd: faulty })

/** One line of ours to a user never shows our insides. */
function expectNoNodeStack(text: string): void {
  expect(text).not.toMatch(/\n\s+at .*(\.[jt]s:\d+|node:internal)/)
}

describe.skipIf(!hasPython())('the command line', () => {
  describe('what it says about itself', () => {
    test('--version', async () => {
      expect(await runCommand(['--version'])).toEqual({
        code: 0,
        signal: null,
        stdout: `monoceros ${version}\n`,
        stderr: '',
      })
    })

    test('--help names every flag of the issue, grouped by section', async () => {
      const { code, stdout, stderr } = await runCommandHere(['--help'])
      expect([code, stderr]).toEqual([0, ''])
      const flags =
        '-b --bind -w --workers --threads -t --timeout --graceful-timeout --keep-alive ' +
        '--chdir --pythonpath --python -e --env ' +
        '--root-path --access-logfile --error-logfile --log-level --limit-request-line ' +
        '--limit-request-fields ' +
        '--limit-request-field-size --limit-request-body --acceptors ' +
        '--no-request-buffering --header-map --version --help'
      for (const flag of flags.split(' '))
        expect(stdout).toMatch(new RegExp(`(^|[\\s,])${flag}\\b`, 'm'))
      expect(stdout).toMatch(/monoceros \[options\] APP/i)
      for (const section of ['Server', 'Workers', 'Timeouts', 'Limits', 'Logging']) {
        expect(stdout).toMatch(new RegExp(`^${section}`, 'm'))
      }
    })

    test('the start banner says what runs where', async () => {
      const server = await startPlain({ args: ['--workers', '2'] })
      const log = server.log()
      expect(log).toMatch(new RegExp(`Starting monoceros ${version}`))
      expect(log).toContain(`Listening at http://127.0.0.1:${server.port} (${server.pid})`)
      expect(log).toMatch(/plain:app/)
      expect(log).toMatch(/2 workers/)
      expect(log).toContain(`CPython ${testPython().version}`)
      expect(log).toContain(testPython().prefix)
      for (const worker of server.workers()) expect(log).toMatch(new RegExp(`\\b${worker}\\b`))
    })
  })

  describe('wrong usage: exit status 2 and one clear line', () => {
    test.each<[string, string[], RegExp]>([
      ['no application', [], /No application/i],
      ['an unknown flag, with a suggestion', ['--worker', '2', 'x:app'], /--worker\b.*--workers/s],
      ['a missing value', ['x:app', '--workers'], /--workers/],
      ['a value that is no number', ['--workers', 'many', 'x:app'], /--workers.*many/s],
      ['a number that makes no sense', ['--workers', '0', 'x:app'], /--workers.*0/s],
      ['a bind address that is none', ['--bind', '127.0.0.1:http', 'x:app'], /127\.0\.0\.1:http/],
      ['a port that does not exist', ['--bind', '127.0.0.1:70000', 'x:app'], /70000/],
      ['two applications', ['x:app', 'y:app'], /y:app/],
      ['an unknown log level', ['--log-level', 'loud', 'x:app'], /--log-level.*loud/s],
    ])('%s', async (_, args, message) => {
      const { code, stdout, stderr, served } = await runCommandHere(args, { cwd: faulty })
      expect([code, stdout, served]).toEqual([2, '', null])
      expect(stderr).toMatch(message)
      expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(3)
      expectNoNodeStack(stderr)
    })

    test('the process ends as the command does in this one', async () => {
      const args = ['--worker', '2', 'x:app']
      const { code, stdout, stderr } = await runCommandHere(args, { cwd: faulty })
      expect(await runCommand(args, { cwd: faulty })).toEqual({
        code,
        signal: null,
        stdout,
        stderr,
      })
    })
  })

  describe('an application that cannot be loaded: exit status 3', () => {
    const expectStatus3 = async (reference: string) => {
      const { code, stdout, stderr } = await run(reference)
      expect(code).toBe(3)
      const text = stdout + stderr
      expectNoNodeStack(text)
      expect(text).not.toMatch(/Listening at/)
      // Our own frames are no part of the application's traceback.
      expect(text).not.toMatch(/File ".*python\/monoceros\//)
      return text
    }

    test('a missing module is named, with where it was looked for, and no traceback', async () => {
      const text = await expectStatus3('no_such_module:app')
      expect(text).toMatch(/no_such_module/)
      expect(text).toContain(faulty)
      expect(text).not.toMatch(/Traceback/)
    })

    test('a missing submodule is told from a missing package', async () => {
      const text = await expectStatus3('json.no_such_part:app')
      expect(text).toMatch(/json\.no_such_part/)
    })

    test('a syntax error is shown with its line', async () => {
      const text = await expectStatus3('syntax:app')
      expect(text).toMatch(/syntax\.py", line 3/)
      expect(text).toContain('def app(environ, start_response)')
      expect(text).toMatch(/SyntaxError/)
    })

    test('an exception during the import is shown with its traceback', async () => {
      const text = await expectStatus3('raises:app')
      expect(text).toMatch(/Traceback \(most recent call last\)/)
      expect(text).toMatch(/raises\.py", line \d+, in read_settings/)
      expect(text).toMatch(/RuntimeError: the database is not configured/)
    })

    test("an import that fails inside the application is the application's, with its traceback", async () => {
      const text = await expectStatus3('imports_missing:app')
      expect(text).toMatch(/Traceback \(most recent call last\)/)
      expect(text).toMatch(/imports_missing\.py", line 3/)
      expect(text).toMatch(/No module named 'a_module_that_nobody_has'/)
    })

    test('a module that ends the interpreter', async () => {
      const text = await expectStatus3('exits:app')
      expect(text).toMatch(/no configuration, giving up|SystemExit/)
    })

    test('a missing attribute is named, with what is near', async () => {
      const text = await expectStatus3('odd:my_aplication')
      expect(text).toMatch(/my_aplication/)
      expect(text).toMatch(/my_application/)
      expect(text).not.toMatch(/Traceback/)
    })

    test('neither application nor app in a module without an attribute given', async () => {
      const text = await expectStatus3('odd')
      expect(text).toMatch(/odd/)
      expect(text).toMatch(/application/)
      expect(text).not.toMatch(/Traceback/)
    })

    test('something that is not callable', async () => {
      const text = await expectStatus3('odd:number')
      expect(text).toMatch(/number/)
      expect(text).toMatch(/callable/)
      expect(text).toMatch(/int/)
      expect(text).not.toMatch(/Traceback/)
    })

    test('a factory whose result is not callable', async () => {
      const text = await expectStatus3('odd:application_factory()')
      expect(text).toMatch(/application_factory/)
      expect(text).toMatch(/callable/)
    })

    test('a factory that raises, with its traceback', async () => {
      const text = await expectStatus3('odd:raises()')
      expect(text).toMatch(/RuntimeError: the factory failed/)
      expect(text).toMatch(/odd\.py", line \d+, in raises/)
    })

    test('a path instead of a module says what to write', async () => {
      const text = await expectStatus3('odd.py:my_application')
      expect(text).toMatch(/odd:my_application/)
    })
  })

  describe('what cannot be bound or started: exit status 1 and one clear line', () => {
    const expectStatus1 = async (
      args: string[],
      message: RegExp,
      env: Record<string, string | undefined> = {},
    ) => {
      const { code, stdout, stderr } = await runCommand(args, {
        cwd: appsDirectory,
        env: { TEST_DATA: '/', ...env },
      })
      const text = stdout + stderr
      expect(code).toBe(1)
      expect(text).toMatch(message)
      expect(text).not.toMatch(/Listening at/)
      expectNoNodeStack(text)
      return text
    }

    test('a port in use', async () => {
      const other = createServer()
      await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => {
        other.close()
      })
      const address = other.address()
      const port = typeof address === 'object' ? address?.port : 0
      await expectStatus1(
        ['--bind', `127.0.0.1:${port}`, 'plain:app'],
        new RegExp(`in use.*127\\.0\\.0\\.1:${port}`),
      )
    })

    test('a second server on the address of the first, which goes on', async () => {
      const server = await startPlain()
      await expectStatus1(['--bind', `127.0.0.1:${server.port}`, 'plain:app'], /in use/)
      expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
    })

    test('an address that this machine does not have', async () => {
      await expectStatus1(['--bind', '192.0.2.1:0', 'plain:app'], /192\.0\.2\.1/)
    })

    test('a unix socket that somebody serves', async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      const path = join(directory.path, 'socket')
      const server = await startPlain({ args: ['--bind', `unix:${path}`] })
      await expectStatus1(['--bind', `unix:${path}`, 'plain:app'], /in use/)
      expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
    })

    test('a unix socket where a file is, which is left alone', async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      const path = join(directory.path, 'precious')
      writeFileSync(path, 'data')
      await expectStatus1(['--bind', `unix:${path}`, 'plain:app'], /precious/)
      expect(readFileSync(path, 'utf8')).toBe('data')
    })

    test('a unix socket in a directory that is not there', async () => {
      await expectStatus1(
        ['--bind', 'unix:/nowhere/at/all/socket', 'plain:app'],
        /\/nowhere\/at\/all/,
      )
    })

    test('an interpreter that is not there, or is none', async () => {
      await expectStatus1(
        ['--bind', '127.0.0.1:0', '--python', '/nowhere/python3', 'plain:app'],
        /\/nowhere\/python3/,
      )
      await expectStatus1(
        ['--bind', '127.0.0.1:0', '--python', '/bin/true', 'plain:app'],
        /\/bin\/true/,
      )
    })

    test('no interpreter at all says what was tried', async () => {
      const empty = temporaryDirectory()
      onTestFinished(empty.remove)
      const text = await expectStatus1(
        ['--runtime', 'cpython', '--bind', '127.0.0.1:0', 'plain:app'],
        /3\.9/,
        {
          PATH: empty.path,
          VIRTUAL_ENV: undefined,
        },
      )
      expect(text).toMatch(/--python/)
      expect(text).toMatch(/python3/)
    })
  })

  describe('where it listens', () => {
    test('a unix socket that a killed server left behind is replaced, and removed in the end', async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      const path = join(directory.path, 'socket')
      const killed = await startPlain({ args: ['--bind', `unix:${path}`] })
      const tree = descendantsOf(killed.pid)
      killed.signal('SIGKILL')
      await killed.exited
      for (const pid of tree) await waitUntilGone(pid)
      expect(statSync(path).isSocket()).toBe(true)

      const server = await startPlain({ args: ['--bind', `unix:${path}`] })
      expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
      await server.stop()
      expect(existsSync(path)).toBe(false)
    })

    test('IPv6 in brackets', async () => {
      const server = await startPlain({ args: ['--bind', '[::1]:0'] })
      expect(server.url).toMatch(/^http:\/\/\[::1\]:\d+$/)
      const { environ } = JSON.parse((await exchangeOnce(server, get('/echo'))).text)
      expect(environ.REMOTE_ADDR).toBe('::1')
    })

    test('several addresses at once', async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      const path = join(directory.path, 'socket')
      const server = await startPlain({
        args: ['-b', '127.0.0.1:0', '-b', '127.0.0.1:0', '-b', `unix:${path}`],
      })
      expect(server.addresses).toHaveLength(3)
      const targets = server.addresses.map((address) =>
        address.startsWith('http://127.0.0.1:')
          ? { port: Number(new URL(address).port) }
          : { port: 0, host: '', socketPath: path },
      )
      for (const target of targets)
        expect((await exchangeOnce(target, get('/'))).text).toBe('hello\n')
    })
  })

  describe('how settings reach the application', () => {
    test('--chdir, --pythonpath, --env and --root-path', async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      writeFileSync(
        join(directory.path, 'seen.py'),
        [
          'import json, os, odd',
          'def application(environ, start_response):',
          '    start_response("200 OK", [])',
          '    seen = {key: environ[key] for key in ("SCRIPT_NAME", "PATH_INFO")}',
          '    return [json.dumps({**seen, "cwd": os.getcwd(), "env": ' +
            'os.environ["COLOUR"], "odd": odd.number}).encode()]',
        ].join('\n'),
      )
      const server = await startServer({
        app: 'seen',
        args: [
          '--chdir',
          directory.path,
          '--pythonpath',
          faulty,
          '-e',
          'COLOUR=blue=ish',
          '--root-path',
          '/shop',
        ],
        env: { PYTHONDONTWRITEBYTECODE: '1' },
        cwd: repository,
      })
      const seen = JSON.parse((await exchangeOnce(server, get('/shop/cart'))).text)
      expect(seen).toEqual({
        SCRIPT_NAME: '/shop',
        PATH_INFO: '/cart',
        cwd: directory.path,
        env: 'blue=ish',
        odd: 42,
      })
    })

    test('WEB_CONCURRENCY sets the workers, and --workers is stronger', async () => {
      const three = await startPlain({ env: { WEB_CONCURRENCY: '3' } })
      expect(three.workers()).toHaveLength(3)
      const one = await startPlain({ args: ['-w', '1'], env: { WEB_CONCURRENCY: '3' } })
      expect(one.workers()).toHaveLength(1)
    })

    test.each(['module:attribute', 'module'])(
      'an application reference of the form %s',
      async (form) => {
        const server = await startPlain({ app: form === 'module' ? 'plain' : 'plain:app' })
        expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
      },
    )

    test('a .venv in the working directory is used when no other is active', async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      const { symlinkSync } = await import('node:fs')
      symlinkSync(testPython().prefix, join(directory.path, '.venv'))
      writeFileSync(join(directory.path, 'which.py'), 'import flask\nfrom plain import app\n')
      const server = await startPlain({
        app: 'which:app',
        cwd: directory.path,
        args: ['--pythonpath', appsDirectory],
        env: { VIRTUAL_ENV: undefined, PYTHONDONTWRITEBYTECODE: '1' },
      })
      expect((await exchangeOnce(server, get('/'))).text).toBe('hello\n')
      expect(server.log()).toContain('.venv')
    })
  })

  describe('logs', () => {
    test('the access log has one line in Apache combined form for every answer, refusals too', async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      const path = join(directory.path, 'access.log')
      const server = await startPlain({ args: ['--access-logfile', path] })
      await exchangeOnce(
        server,
        get('/?a=1', 'User-Agent: tests "quoted"', 'Referer: http://example.org/'),
      )
      await exchangeOnce(server, get('/missing'))
      await exchangeOnce(server, 'nonsense\r\n\r\n')
      await server.stop()
      const lines = readFileSync(path, 'utf8').trim().split('\n')
      const combined =
        /^127\.0\.0\.1 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"$/
      const fields = lines.map((line) => combined.exec(line)?.slice(1))
      expect(fields[0]).toEqual([
        'GET /?a=1 HTTP/1.1',
        '200',
        '6',
        'http://example.org/',
        'tests \\"quoted\\"',
      ])
      expect(fields[1]).toEqual(['GET /missing HTTP/1.1', '404', '9', '-', '-'])
      expect(fields[2]?.[1]).toBe('400')
      expect(lines).toHaveLength(3)
    })

    test('a request that is refused before the application sees it has one line in each log', async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      const path = join(directory.path, 'access.log')
      const server = await startPlain({
        args: ['--access-logfile', path, '--limit-request-body', '10'],
      })
      const head = (start: string, fields = '') => `${start} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
      const chunked = head('POST /length', 'Transfer-Encoding: chunked\r\n')
      const refused: [string, number][] = [
        [head('CONNECT a:443'), 405],
        [head('POST /length', 'Content-Length: 11\r\n'), 413],
        [`${chunked}b\r\n01234567890\r\n0\r\n\r\n`, 413],
        [head('GET /', 'X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n'), 400],
        // By the engine, while the request is in progress.
        [`${chunked}zz\r\n`, 400],
      ]
      for (const [text, status] of refused)
        expect((await exchangeOnce(server, text)).status).toBe(status)
      await server.stop()
      const lines = (text: string, status: RegExp) =>
        text.split('\n').flatMap((line) => status.exec(line)?.[1] ?? [])
      const statuses = refused.map(([, status]) => String(status))
      expect(lines(readFileSync(path, 'utf8'), /HTTP\/1\.1" (\d+) /)).toEqual(statuses)
      expect(lines(server.log(), /Refused .* with (\d+): /)).toEqual(statuses)
    })

    test('there is no access log unless asked for', async () => {
      const server = await startPlain()
      const from = server.log().length
      await exchangeOnce(server, get('/marked-path'))
      await server.stop()
      expect(server.log().slice(from)).not.toMatch(/marked-path/)
    })

    test("stdout, stderr and wsgi.errors of the application come line by line, with the worker's pid", async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      writeFileSync(
        join(directory.path, 'talks.py'),
        [
          'import sys',
          'def app(environ, start_response):',
          '    print("on stdout: ü")',
          '    print("on stderr", file=sys.stderr)',
          '    environ["wsgi.errors"].write("on wsgi.errors\\nand its second line\\n")',
          '    start_response("200 OK", [])',
          '    return [b"ok"]',
        ].join('\n'),
      )
      const server = await startServer({
        app: 'talks:app',
        cwd: directory.path,
        env: { PYTHONDONTWRITEBYTECODE: '1' },
      })
      await exchangeOnce(server, get('/'))
      const [worker] = server.workers()
      for (const text of ['on stdout: ü', 'on stderr', 'on wsgi.errors', 'and its second line']) {
        await server.waitForLog(new RegExp(`^\\[[^\\]]+\\] \\[${worker}\\] .*${text}$`, 'm'))
      }
    })

    test('--error-logfile takes the error log, and USR1 opens it anew', async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      const path = join(directory.path, 'error.log')
      const { renameSync } = await import('node:fs')
      // The banner is in the file, so this server is awaited through it.
      const starting = startPlain({ args: ['--error-logfile', path] }).catch(
        (error: Error) => error,
      )
      await waitFor(
        'the banner',
        () => existsSync(path) && /Listening at/.test(readFileSync(path, 'utf8')),
      )
      const port = Number(
        /Listening at http:\/\/127\.0\.0\.1:(\d+) \((\d+)\)/.exec(readFileSync(path, 'utf8'))?.[1],
      )
      const pid = Number(/Listening at \S+ \((\d+)\)/.exec(readFileSync(path, 'utf8'))?.[1])
      renameSync(path, `${path}.1`)
      process.kill(pid, 'SIGUSR1')
      await waitFor('a new file', () => existsSync(path))
      await waitFor('the refusal in the new file', async () => {
        await exchangeOnce({ port }, 'nonsense\r\n\r\n')
        return /with 400: /.test(readFileSync(path, 'utf8'))
      })
      process.kill(pid, 'SIGTERM')
      await starting
    })
  })

  describe('signals', () => {
    test('INT stops gracefully: what is in flight finishes, exit 0', async () => {
      const server = await startPlain()
      const connection = await RawConnection.open(server)
      await connection.send(get('/wait?key=a'))
      await server.begun('a')
      server.signal('SIGINT')
      await server.waitForLog(/SIGINT/)
      server.go('a')
      expect((await connection.readResponse()).status).toBe(200)
      expect(await server.exited).toEqual({ code: 0, signal: null })
    })

    test.each<[string, NodeJS.Signals[]]>([
      ['a second INT', ['SIGINT', 'SIGINT']],
      ['QUIT', ['SIGQUIT']],
    ])('%s stops at once: nothing is waited for, nothing is left', async (_, signals) => {
      const server = await startPlain()
      const connection = await RawConnection.open(server)
      await connection.send(get('/wait?key=a'))
      await server.begun('a')
      const tree = [server.pid, ...descendantsOf(server.pid)]
      for (const signal of signals) {
        const from = server.log().length
        server.signal(signal)
        await server.waitForLog(new RegExp(signal), { from })
      }
      expect(await within('the server to end', 20_000, server.exited)).toEqual({
        code: 0,
        signal: null,
      })
      for (const pid of tree) await waitUntilGone(pid)
      await connection.readToEnd()
    })

    test("a pid file holds the arbiter's pid while it runs", async () => {
      const directory = temporaryDirectory()
      onTestFinished(directory.remove)
      const path = join(directory.path, 'pid')
      const server = await startPlain({ args: ['--pid', path] })
      expect(readFileSync(path, 'utf8').trim()).toBe(String(server.pid))
      await server.stop()
      expect(existsSync(path)).toBe(false)
    })
  })
})

describe('explain', () => {
  test.each(['MONO1042', 'mono1042', '[MONO1042]'])('%s prints the page', async (asked) => {
    const { code, stdout, stderr } = await runCommandHere(['explain', asked])
    expect([code, stderr]).toEqual([0, ''])
    const { title, cause } = TABLE.MONO1042
    expect(stdout).toContain('MONO1042')
    for (const text of [title, cause])
      expect(stdout.replace(/[\s`]+/g, ' ')).toContain(text.replace(/[\s`]+/g, ' '))
  })

  test.each([
    [['MONO0000'], 'There is no code "MONO0000"; a code is at the end of a line, such as MONO1001'],
    [['toString'], 'There is no code "toString"; a code is at the end of a line, such as MONO1001'],
    [['\u001b[2J'], /^monoceros: There is no code "[ -~]*"; /],
    [[], 'explain takes one code, such as MONO1001'],
    [['MONO1001', 'MONO1002'], 'explain takes one code, such as MONO1001'],
  ])('%j is one line', async (args, said) => {
    const { code, stdout, stderr } = await runCommandHere(['explain', ...args])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^.* \[MONO1012\]\n$/)
    if (typeof said === 'string') expect(stderr).toBe(`monoceros: ${said} [MONO1012]\n`)
    else expect(stderr).toMatch(said)
  })
})
