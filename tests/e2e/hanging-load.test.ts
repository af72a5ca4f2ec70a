import { existsSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { get } from '../support/plain-application.ts'
import { hasPython, testPython } from '../support/python.ts'
import { exchangeOnce } from '../support/raw-client.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { runCommand, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// An application whose loading never ends costs the attempt to load it, and nothing else.

/** Milliseconds that whatever starts something may take, on a machine that has much else to do. */
const START = 60_000
vi.setConfig({ testTimeout: 2 * START })

let folder: { path: string; remove: () => void }

beforeEach(() => {
  folder = temporaryDirectory()
  // When the servers of the test have stopped; the hooks after a test run before that.
  onTestFinished(folder.remove)
})

function write(name: string, text: string): void {
  writeFileSync(join(folder.path, name), text)
}

/** A server that takes connections and says nothing: a database that does not answer. */
async function silentServer(): Promise<{ port: number; server: Server; connected: () => boolean }> {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, server, connected: () => connections > 0 }
}

async function answer(server: RunningServer): Promise<string> {
  return (await exchangeOnce(server, get('/'))).text
}

/**
 * Starts the command without waiting for more than the file that its application leaves while it is
 * loaded.
 */
function startLoading(app: string, ...args: string[]): Promise<RunningServer> {
  const socketPath = join(folder.path, 'server.sock')
  return runServer({
    command: process.execPath,
    args: [commandPath, '-b', `unix:${socketPath}`, ...args, app],
    env: hasPython() ? { ...process.env, VIRTUAL_ENV: testPython().prefix } : process.env,
    cwd: folder.path,
    findAddresses: () => [`unix:${socketPath}`],
    isReady: () => existsSync(join(folder.path, 'loading')),
    isWorker: (commandLine) => commandLine.includes('monoceros-worker'),
  })
}

const python = (text: string) => `
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"${text}"]
`

/** Imports that never end, by what they do, and what the log shows of each. */
const hangs: [name: string, source: (port: number) => string, shown: RegExp][] = [
  [
    'runs for ever',
    () => 'def run_for_ever():\n    while True:\n        pass\n\nrun_for_ever()\n',
    /File "[^"]*\/helper\.py", line \d, in run_for_ever\n/,
  ],
  [
    'waits for a database that does not answer',
    (port) =>
      'import socket\n\ndef ask():\n    connection = ' +
      `socket.create_connection(("127.0.0.1", ${port}))\n    connection.recv(1)\n\nask()\n`,
    /File "[^"]*\/helper\.py", line 5, in ask\n {4}connection\.recv\(1\)\n/,
  ],
  [
    'never lets go of the interpreter',
    () => 'import re\n\ndef match():\n    re.match("(a+)+$", "a" * 60 + "b")\n\nmatch()\n',
    /File "[^"]*\/helper\.py", line 4, in match\n/,
  ],
  [
    'waits for another thread that waits for it',
    () =>
      `import threading, time

def helper():
    global holds
    holds = True
    import holder

holds = False
threading.Thread(target=helper, daemon=True).start()
while not holds:
    time.sleep(0.01)
time.sleep(0.2)
import asker
`,
    /Another thread \(most recent call last\):\n {2}File "[^"]*\/helper\.py", line 6, in helper\n/,
  ],
]

type Ended = Awaited<ReturnType<typeof runCommand>>

/** For the deadlock: the module that the thread imports waits for a lock that is never released. */
function writeDeadlock(directory: string): void {
  const lock = 'import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()\n'
  writeFileSync(join(directory, 'holder.py'), lock)
  writeFileSync(join(directory, 'asker.py'), 'import holder\n')
}

describe.skipIf(!hasPython())('a Python application', () => {
  describe('at the start', () => {
    // All of them at once: each waits for its own time limit.
    const ended = new Map<string, Promise<Ended>>()
    const folders: { path: string; remove: () => void }[] = []

    beforeAll(async () => {
      const { port, server } = await silentServer()
      for (const [name, source] of hangs) {
        const own = temporaryDirectory()
        folders.push(own)
        writeFileSync(join(own.path, 'webapp.py'), `import helper\n${python('never')}`)
        writeFileSync(join(own.path, 'helper.py'), source(port))
        writeDeadlock(own.path)
        ended.set(
          name,
          runCommand(['-b', '127.0.0.1:0', '-w', '1', '--load-timeout', '8', 'webapp:app'], {
            cwd: own.path,
            timeout: START,
          }),
        )
      }
      await Promise.all(ended.values())
      server.close()
    })

    afterAll(() => {
      for (const own of folders) own.remove()
    })

    test.each(hangs)('one whose import %s ends the command', async (name, _source, shown) => {
      const exit = await ended.get(name)!
      expect(exit.code).toBe(3)
      expect(exit.stderr).toMatch(/\[WARNING\] Worker \d+ is still loading webapp:app after 4 s/)
      const end = exit.stderr.slice(
        exit.stderr.indexOf('could not be loaded within 8 s (load_timeout)'),
      )
      expect(end).toMatch(
        /^could not be loaded within 8 s \(load_timeout\) \[MONO\d{4}\]\. Stack \(most recent call last\):\n/,
      )
      expect(end).toMatch(/File "[^"]*\/webapp\.py", line 1, in <module>\n {4}import helper\n/)
      expect(end).toMatch(shown)
      // The application's frames, not ours.
      expect(exit.stderr).not.toMatch(/python\/monoceros|frozen importlib/)
    })
  })

  test.each(hangs.slice(0, 2))(
    'at a reload, one whose import %s costs only that',
    async (_name, source, shown) => {
      const { port, server: silent } = await silentServer()
      write('webapp.py', python('old'))
      const server = await startServer({
        app: 'webapp:app',
        args: ['-w', '2', '--load-timeout', '8'],
        cwd: folder.path,
      })
      const before = server.workers()
      write('helper.py', source(port))
      write('webapp.py', `import helper\n${python('never')}`)
      server.signal('SIGHUP')
      await server.waitForLog(/still loading webapp:app after 4 s/, { timeout: START })
      expect(await answer(server)).toBe('old')
      await server.waitForLog(
        /could not be loaded within 8 s.*Reload failed; the previous application and settings stay in use/s,
        {
          timeout: START,
        },
      )
      expect(server.log()).toMatch(shown)
      await waitFor('what hung to be gone', () =>
        server.workers().every((pid) => before.includes(pid)),
      )
      expect(await answer(server)).toBe('old')
      write('webapp.py', python('mended'))
      server.signal('SIGHUP')
      await server.waitForLog(/Reloaded/, { timeout: START })
      await waitFor('the mended one', async () => (await answer(server)) === 'mended')
      silent.close()
    },
  )

  test('another HUP takes the place of a reload that hangs, without waiting for it', async () => {
    write('webapp.py', python('old'))
    const server = await startServer({ app: 'webapp:app', args: ['-w', '2'], cwd: folder.path })
    for (const [round, text] of ['mended', 'mended again'].entries()) {
      // Both workers write it, one of them later.
      const loading = `loading-${round}`
      write('webapp.py', `open("${loading}", "w").close()\nwhile True:\n    pass\n`)
      server.signal('SIGHUP')
      await waitFor('it to hang', () => existsSync(join(folder.path, loading)), START)
      write('webapp.py', python(text))
      const from = server.log().length
      server.signal('SIGHUP')
      await server.waitForLog(/abandoning the reload in progress, to begin again.*Reloaded/s, {
        from,
        timeout: START,
      })
      await waitFor('the mended one', async () => (await answer(server)) === text)
    }
    await waitFor('the others to be gone', () => server.workers().length === 2)
    expect(server.log()).not.toContain('ERROR')
  })

  test('TERM ends the server at once while its first load hangs', async () => {
    write('webapp.py', 'open("loading", "w").close()\nwhile True:\n    pass\n')
    const server = await startLoading('webapp:app')
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })

  test('TERM ends the server at once while a reload hangs', async () => {
    write('webapp.py', python('old'))
    const server = await startServer({ app: 'webapp:app', cwd: folder.path })
    write('webapp.py', 'open("loading", "w").close()\nwhile True:\n    pass\n')
    server.signal('SIGHUP')
    await waitFor('it to hang', () => existsSync(join(folder.path, 'loading')), START)
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })
})

const script = (text: string) => `
export const app = (environ, startResponse) => {
  if (environ.PATH_INFO === '/block') blockForEver()
  startResponse('200 OK', [])
  return [Buffer.from('${text}')]
}
function blockForEver() {
  for (;;) {}
}
`

describe('an application in TypeScript', () => {
  test('at the start, a top-level await that never ends ends the command, and the module is named', async () => {
    write('waits.mjs', 'await new Promise(() => {})\n')
    write('app.mjs', `import './waits.mjs'\n${script('never')}`)
    const exit = await runCommand(['-b', '127.0.0.1:0', '--load-timeout', '8', './app.mjs:app'], {
      cwd: folder.path,
      timeout: START,
    })
    expect(exit.code).toBe(3)
    const named =
      `the module ${join(folder.path, 'app.mjs')}, or one that it imports, waits in a ` +
      'top-level await'
    expect(exit.stderr).toContain('is still loading ./app.mjs:app after 4 s')
    expect(exit.stderr.split(named)).toHaveLength(3)
    expect(exit.stderr).toContain('./app.mjs:app could not be loaded within 8 s (load_timeout)')
  })

  test('at the start, a module that blocks the event loop ends the command, and is shown', async () => {
    write('app.mjs', `${script('never')}\nblockForEver()\n`)
    const exit = await runCommand(['-b', '127.0.0.1:0', '--load-timeout', '8', './app.mjs:app'], {
      cwd: folder.path,
      timeout: START,
    })
    expect(exit.code).toBe(3)
    expect(exit.stderr).toMatch(
      /could not be loaded within 8 s \(load_timeout\) \[MONO\d{4}\]\. Stack \(most recent call first\):\n {4}at blockForEver \(file:\/\/\S+\/app\.mjs:8:\d+\)\n/,
    )
    expect(exit.stderr).not.toMatch(/at .*(node:internal|\/dist\/)/)
  })

  test('at the start, a factory whose promise never settles ends the command, and is named', async () => {
    write('app.mjs', 'export const make = () => new Promise(() => {})\n')
    const exit = await runCommand(
      ['-b', '127.0.0.1:0', '--load-timeout', '8', './app.mjs:make()'],
      {
        cwd: folder.path,
        timeout: START,
      },
    )
    expect(exit.code).toBe(3)
    expect(exit.stderr).toContain(
      `the factory make() of ${join(folder.path, 'app.mjs')} waits for a promise`,
    )
  })

  test('at a reload, one that never loads costs only that; another HUP takes its place', async () => {
    write('app.mjs', script('old'))
    const server = await startServer({
      app: './app.mjs:app',
      args: ['-w', '2', '--load-timeout', '8'],
      cwd: folder.path,
    })
    write('app.mjs', `await new Promise(() => {})\n${script('never')}`)
    server.signal('SIGHUP')
    await server.waitForLog(
      /could not be loaded within 8 s.*Reload failed; the previous application and settings stay in use/s,
      {
        timeout: START,
      },
    )
    expect(await answer(server)).toBe('old')
    write(
      'app.mjs',
      "import { closeSync, openSync } from 'node:fs'\ncloseSync(openSync('loading', 'w'))\n" +
        'for (;;) {}\n',
    )
    server.signal('SIGHUP')
    await waitFor('it to hang', () => existsSync(join(folder.path, 'loading')), START)
    write('app.mjs', script('mended'))
    const from = server.log().length
    server.signal('SIGHUP')
    await server.waitForLog(/Reloaded/, { from, timeout: START })
    await waitFor('the mended one', async () => (await answer(server)) === 'mended')
  })

  test('one that blocks the event loop is shown with its stack before it is ended', async () => {
    write('app.mjs', script('served'))
    const server = await startServer({
      app: './app.mjs:app',
      // Long enough for a busy machine to ask the process where it stands.
      args: ['--timeout', '3'],
      cwd: folder.path,
    })
    expect(await answer(server)).toBe('served')
    const blocked = exchangeOnce(server, get('/block')).catch(() => {})
    await server.waitForLog(
      /blocked the event loop for more than 3 s \(timeout\); killing the process \[MONO\d{4}\]\. Stack \(most recent call first\):\n {4}at blockForEver \(file:\/\/\S+\/app\.mjs:8:\d+\)\n {4}at app \(/,
      { timeout: START },
    )
    await blocked
    await server.waitForLog(
      /Acceptor \d+ runs the application.*Acceptor \d+ runs the application/s,
      {
        timeout: START,
      },
    )
    expect(await answer(server)).toBe('served')
  })

  test('TERM ends the server at once while its first load blocks the event loop', async () => {
    write(
      'app.mjs',
      "import { closeSync, openSync } from 'node:fs'\ncloseSync(openSync('loading', 'w'))\n" +
        'for (;;) {}\n',
    )
    const server = await startLoading('./app.mjs:app')
    expect(await server.stop()).toEqual({ code: 0, signal: null })
  })
})
