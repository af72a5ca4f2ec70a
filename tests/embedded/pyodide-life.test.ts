import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { KeepAliveClient } from '../support/keep-alive-client.ts'
import { startLoad } from '../support/load.ts'
import { get } from '../support/plain-application.ts'
import { waitUntilGone } from '../support/processes.ts'
import { exchangeOnce, RawConnection } from '../support/raw-client.ts'
import { type RunningServer, runCommand, startServer } from '../support/server.ts'
import { waitFor, within } from '../support/wait-for.ts'

// The life of embedded workers: how they come, are replaced and end, and that no request is lost or
// begun twice by it.

const APPLICATION = `
import os, time, uuid

WORKER = uuid.uuid4().hex
HERE = os.path.dirname(os.path.abspath(__file__))

def note(text):
    descriptor = os.open(os.path.join(HERE, "begun"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (text + "\\n").encode())
    os.close(descriptor)

def application(environ, start_response):
    _, verb, argument = environ["PATH_INFO"].split("/")
    if verb in ("noted", "asleep", "endless"):
        note(f"{verb} {argument}")
    if verb == "asleep":
        time.sleep(float(argument))
    while verb == "endless":
        pass
    if verb == "greedy":
        taken = []
        while True:
            taken.append(bytearray(8 * 1024 * 1024))
    if verb == "download":
        start_response("200 OK", [("Content-Length", argument)])
        return (b"d" * 65536 for _ in range(int(argument) // 65536))
    start_response("200 OK", [("Content-Length", str(len(VERSION + WORKER)))])
    return [(VERSION + WORKER).encode()]
`

/** Milliseconds that whatever starts a worker may take, on a machine that has much else to do. */
const START = 60_000
vi.setConfig({ testTimeout: 4 * START })

function makeFolder(): { path: string; begun: () => string[] } {
  const directory = temporaryDirectory()
  afterAll(directory.remove)
  const notes = join(directory.path, 'begun')
  writeFileSync(join(directory.path, 'alive.py'), `VERSION = "1"\n${APPLICATION}`)
  return {
    path: directory.path,
    begun: () => (existsSync(notes) ? readFileSync(notes, 'utf8').split('\n').slice(0, -1) : []),
  }
}

function serve(cwd: string, ...args: string[]): Promise<RunningServer> {
  return startServer({ app: 'alive:application', args: ['--runtime', 'pyodide', ...args], cwd })
}

/**
 * Sends a request that takes long and resolves when its application is at work; what becomes of it
 * is in `answer`.
 */
async function begin(
  server: RunningServer,
  folder: ReturnType<typeof makeFolder>,
  verb: string,
  argument: string,
): Promise<{ answer: Promise<string> }> {
  const path = `/${verb}/${argument}`
  const times = (): number => folder.begun().filter((line) => line === `${verb} ${argument}`).length
  const before = times()
  const connection = await RawConnection.open(server)
  connection.timeout = START
  const answer = connection.request(get(path)).then(
    ({ status, complete }) => `${status}${complete ? '' : ', cut off'}`,
    () => 'closed',
  )
  // Or the server, on its end, would give its side of a half-closed connection some seconds.
  void answer.then(() => connection.close())
  await waitFor(`${path} to begin`, () => times() > before, START)
  return { answer }
}

/**
 * The workers that answer when `count` requests are there at once, each long enough for every
 * worker to get one.
 */
async function workersSeen(server: RunningServer, count: number): Promise<Set<string>> {
  const answers = await Promise.all(
    Array.from({ length: count }, () => exchangeOnce(server, get('/asleep/0.3'))),
  )
  for (const { status } of answers) expect(status).toBe(200)
  return new Set(answers.map(({ text }) => text))
}

describe('workers that are replaced after max_requests', () => {
  test('lose no request of keep-alive clients, and none is begun twice', async () => {
    const folder = makeFolder()
    const server = await serve(
      folder.path,
      '-w',
      '2',
      '--max-requests',
      '150',
      '--max-requests-jitter',
      '100',
    )
    const asked: string[] = []
    const workers = new Set<string>()
    let next = 0
    const until = Date.now() + 3 * START
    const client = async (): Promise<void> => {
      const connection = await KeepAliveClient.open(server)
      // Until both of the first two have been replaced and their successors have answered.
      while ((next < 1000 || workers.size < 4) && Date.now() < until) {
        const number = String(next++)
        asked.push(`noted ${number}`)
        const { status, body, closes } = await connection.request(get(`/noted/${number}`))
        expect({ status, closes, version: body[0] }).toEqual({
          status: 200,
          closes: false,
          version: '1',
        })
        workers.add(body)
        // Space for the workers that are starting.
        if (next % 50 === 0) await sleep(10)
      }
      expect(connection.surplus).toBe(0)
      connection.close()
    }
    await Promise.all(Array.from({ length: 4 }, client))
    expect(folder.begun().sort()).toEqual(asked.sort())
    expect(workers.size).toBeGreaterThanOrEqual(4)
    await server.waitForLog(/Worker \d+ replaces worker \d+, which has answered max_requests/)
    expect(server.log()).not.toMatch(/\[(ERROR|CRITICAL)\]/)

    // And while it serves like this: the end at once.
    const { answer } = await begin(server, folder, 'asleep', '600')
    server.signal('SIGQUIT')
    expect(await within('the server to end', 10_000, server.exited)).toEqual({
      code: 0,
      signal: null,
    })
    expect(await answer).toMatch(/^(closed|50\d)/)
  })
})

describe('two workers', () => {
  const folder = makeFolder()
  let server: RunningServer
  beforeAll(async () => {
    server = await serve(folder.path, '-w', '2', '--timeout', '6')
  }, START)

  test('HUP loads new code; no connection is refused and no request lost meanwhile', async () => {
    const keeping = startLoad(server, '/noted/kept', 2)
    let stopping = false
    const faults: string[] = []
    const opening = (async () => {
      while (!stopping) {
        const { status } = await exchangeOnce(server, get('/noted/new', 'Connection: close'))
        if (status !== 200) faults.push(String(status))
        await sleep(1)
      }
    })().catch((error: Error) => faults.push(error.message))
    await waitFor('an answer of the old code', () => keeping.report.bodies.length > 0)
    writeFileSync(join(folder.path, 'alive.py'), `VERSION = "2"\n${APPLICATION}`)
    const from = server.log().length
    server.signal('SIGHUP')
    await server.waitForLog(/Reloaded/, { from, timeout: START })
    await waitFor(
      'the new code',
      async () => (await exchangeOnce(server, get('/noted/x'))).text[0] === '2',
    )
    await waitFor('it on a connection that was kept', () =>
      keeping.report.bodies.some((body) => body[0] === '2'),
    )
    stopping = true
    await opening
    const { bodies, faults: others } = await keeping.stop()
    expect([...faults, ...others]).toEqual([])
    expect(new Set(bodies.map((body) => body[0]))).toEqual(new Set(['1', '2']))
    // Not backwards: who has seen the new code does not see the old again.
    expect((await exchangeOnce(server, get('/noted/x'))).text[0]).toBe('2')
  })

  test('a reload to code that fails keeps the old workers', async () => {
    const good = readFileSync(join(folder.path, 'alive.py'))
    writeFileSync(join(folder.path, 'alive.py'), 'import nowhere_to_be_found\n')
    const from = server.log().length
    server.signal('SIGHUP')
    await server.waitForLog(/Reload failed; the previous application and settings stay in use/, {
      from,
      timeout: START,
    })
    expect(server.log().slice(from)).toContain("No module named 'nowhere_to_be_found'")
    writeFileSync(join(folder.path, 'alive.py'), good)
    expect((await exchangeOnce(server, get('/noted/x'))).text[0]).toBe('2')
  })

  test('TTIN is one worker more and TTOU one less, with no request lost', async () => {
    const load = startLoad(server, '/noted/scaled', 1)
    server.signal('SIGTTIN')
    await waitFor('three workers', async () => (await workersSeen(server, 3)).size === 3, START)
    let from = server.log().length
    server.signal('SIGTTOU')
    await server.waitForLog(/SIGTTOU: changing to 2 workers/, { from })
    from = server.log().length
    server.signal('SIGTTOU')
    await server.waitForLog(/SIGTTOU: changing to 1 worker\b/, { from })
    await waitFor('one worker', async () => (await workersSeen(server, 3)).size === 1, START)
    expect((await load.stop()).faults).toEqual([])
  })

  test('a request that runs out of time takes nothing with it from a download that waits for its turn', async () => {
    const size = 24 * 1024 * 1024
    const download = await RawConnection.open(server)
    download.timeout = START
    await download.send(get(`/download/${size}`))
    const head = await download.readResponse('GET', { bodyless: true })
    expect(head.status).toBe(200)
    // The only worker has put it aside, or it would not answer.
    const { text: before } = await exchangeOnce(server, get('/noted/x'))
    const from = server.log().length
    const { answer } = await begin(server, folder, 'endless', 'a')
    // More credit for it from now on, while the other has the thread: it must not be blamed.
    let received = 0
    while (received < size) {
      const { length } = await download.readSome()
      expect(length).toBeGreaterThan(0)
      received += length
    }
    expect(received).toBe(size)
    expect(await answer).toBe('504')
    await server.waitForLog(/GET \/endless\/a: the request ran out of time \[MONO4011\]\. Stack/, {
      from,
    })
    expect(server.log().slice(from)).not.toMatch(/Killing (the )?worker/)
    expect((await exchangeOnce(server, get('/noted/x'))).text).toBe(before)
  })

  test('when its acceptor is killed a new one serves, with the workers that were asked for last', async () => {
    const acceptor = Number(
      [...server.log().matchAll(/Acceptor (\d+) with worker/g)].at(-1)?.[1] ?? Number.NaN,
    )
    const { answer } = await begin(server, folder, 'asleep', '600')
    process.kill(acceptor, 'SIGKILL')
    expect(await answer).toBe('closed')
    await waitUntilGone(acceptor)
    // The listening socket is the arbiter's: who connects meanwhile waits.
    const connection = await RawConnection.open(server)
    connection.timeout = START
    expect((await connection.request(get('/noted/x'))).status).toBe(200)
    expect((await workersSeen(server, 3)).size).toBe(1)
  })

  test('TERM lets what is in flight finish', async () => {
    const { answer } = await begin(server, folder, 'asleep', '2')
    server.signal('SIGTERM')
    expect(await answer).toBe('200')
    expect(await within('the server to end', 10_000, server.exited)).toEqual({
      code: 0,
      signal: null,
    })
    expect(server.log()).not.toContain('did not exit in time')
  })
})

test('TERM ends what is in flight when graceful_timeout is over', async () => {
  const folder = makeFolder()
  const server = await serve(folder.path, '--graceful-timeout', '1')
  // One that looks for no signals and one that sleeps would be ended alike: by the end of their
  // threads.
  const { answer } = await begin(server, folder, 'endless', 'b')
  const from = server.log().length
  server.signal('SIGTERM')
  expect(await within('the server to end', 15_000, server.exited)).toEqual({
    code: 0,
    signal: null,
  })
  expect(await answer).toMatch(/^(closed|50\d)/)
  expect(server.log().slice(from)).toContain('did not exit in time; killing it')
})

test('memory past its limit is one request’s error; the others are answered, and INT twice ends it at once', async () => {
  const folder = makeFolder()
  const server = await serve(folder.path, '-w', '2', '--worker-memory', '96M')
  const load = startLoad(server, '/noted/modest', 3)
  for (let round = 0; round < 3; round++) {
    const greedy = await Promise.all([1, 2].map(() => exchangeOnce(server, get('/greedy/'))))
    expect(greedy.map(({ status }) => status)).toEqual([500, 500])
  }
  const { faults, bodies } = await load.stop()
  expect(faults).toEqual([])
  expect(bodies.length).toBeGreaterThan(10)
  await waitFor('six tracebacks', () => server.log().match(/^MemoryError$/gm)?.length === 6)
  expect(server.log()).not.toContain('broke down')

  const { answer } = await begin(server, folder, 'asleep', '600')
  for (const pattern of [
    /SIGINT: stopping; requests in progress/,
    /SIGINT: stopping immediately/,
  ]) {
    server.signal('SIGINT')
    await server.waitForLog(pattern)
  }
  expect(await within('the server to end', 10_000, server.exited)).toEqual({
    code: 0,
    signal: null,
  })
  expect(await answer).toMatch(/^(closed|50\d)/)
})

describe('what cannot be started', () => {
  test.each([
    ['a mistake in the language', 'def application(:\n', /SyntaxError/],
    [
      'an error of its own',
      'def load():\n    raise ValueError("seven")\nload()\n',
      /in load[\s\S]*seven/,
    ],
    ['its end', 'import sys\nsys.exit("not today")\n', /not today/],
  ])(
    'an application that is stopped by %s ends both runtimes alike',
    async (_, source, expected) => {
      const directory = temporaryDirectory()
      try {
        writeFileSync(join(directory.path, 'broken.py'), source)
        const [embedded, installed] = await Promise.all(
          ['pyodide', 'cpython'].map((runtime) =>
            runCommand(['--runtime', runtime, '-b', '127.0.0.1:0', 'broken:application'], {
              cwd: directory.path,
              timeout: START,
            }),
          ),
        )
        expect({ code: embedded?.code, signal: embedded?.signal }).toEqual({
          code: installed?.code,
          signal: installed?.signal,
        })
        expect(embedded?.code).toBe(3)
        expect(embedded?.stderr).toMatch(expected)
        expect(embedded?.stderr).toContain(join(directory.path, 'broken.py'))
        expect(embedded?.stderr).not.toMatch(
          /wasm-function|pyodide\.asm|monoceros_pyodide|node:internal/,
        )
      } finally {
        directory.remove()
      }
    },
  )

  test('an application that ends its worker while it is loaded is said to, in a sentence', async () => {
    const directory = temporaryDirectory()
    try {
      writeFileSync(join(directory.path, 'abort.py'), 'import os\nos.abort()\n')
      const { code, stderr } = await runCommand(
        ['--runtime', 'pyodide', '-b', '127.0.0.1:0', 'abort:application'],
        {
          cwd: directory.path,
          timeout: START,
        },
      )
      expect(code).toBe(1)
      expect(stderr).toMatch(/A worker broke down before it was ready to serve: it aborted itself/)
    } finally {
      directory.remove()
    }
  })

  test('several acceptors where the embedded Python would take the place of a missing one', async () => {
    const directory = temporaryDirectory()
    try {
      mkdirSync(join(directory.path, 'bin'))
      symlinkSync(process.execPath, join(directory.path, 'bin', 'node'))
      writeFileSync(join(directory.path, 'alive.py'), `VERSION = "1"\n${APPLICATION}`)
      const { code, stderr } = await runCommand(
        ['--acceptors', '2', '-b', '127.0.0.1:0', 'alive:application'],
        {
          cwd: directory.path,
          env: { PATH: join(directory.path, 'bin'), VIRTUAL_ENV: undefined },
          timeout: START,
        },
      )
      expect(code).toBe(1)
      expect(stderr).toMatch(/Leave --acceptors out to use the embedded Python\.$/m)
      expect(stderr).not.toMatch(/^ +at /m)
    } finally {
      directory.remove()
    }
  })
})
