import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { get } from '../support/plain-application.ts'
import { childrenOf, commandLineOf, isAlive, waitUntilGone } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { exchangeOnce } from '../support/raw-client.ts'
import { type RunningServer, runCommand, startServer } from '../support/server.ts'
import { startStream } from '../support/steady-stream.ts'
import { waitFor } from '../support/wait-for.ts'

// --preload: one process loads the application, and the workers are forked from it.

const APPLICATION = `
import logging, multiprocessing, os, random, signal, sys, threading, time, urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(HERE, "loads"), "a") as file:
    file.write(f"{os.getpid()}\\n")
with open(os.path.join(HERE, "generation")) as file:
    GENERATION = int(file.read())
DEATHS = []
signal.signal(signal.SIGCHLD, lambda number, frame: DEATHS.append(number))
threading.Thread(target=threading.Event().wait, name="sentinel", daemon=True).start()
sys.stdout.write("half a line")
print(" and the rest")

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/facts":
        logging.getLogger("shop").warning("seen")
        text = repr({
            "pid": os.getpid(), "parent": os.getppid(), "generation": GENERATION,
            "random": random.random(), "multiprocess": environ["wsgi.multiprocess"],
            "threads": [thread.name for thread in threading.enumerate()],
            "children": multiprocessing.active_children(),
            "handler": signal.getsignal(signal.SIGCHLD).__name__,
        })
    elif path == "/wait":
        with open(os.path.join(HERE, "waiting"), "w") as file:
            file.write(str(os.getpid()))
        time.sleep(60)
        text = "late"
    else:
        text = f"{GENERATION} {os.getpid()}"
    body = text.encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
`

let folder: { path: string; remove: () => void }

beforeEach(() => {
  folder = temporaryDirectory()
  // When the servers of the test have stopped; the hooks after a test run before that.
  onTestFinished(folder.remove)
  write('shop.py', APPLICATION)
  write('generation', '0')
})

function write(name: string, text: string): void {
  writeFileSync(join(folder.path, name), text)
}

function read(name: string): string {
  return readFileSync(join(folder.path, name), 'utf8')
}

const loads = () => read('loads').trim().split('\n').map(Number)

/** The processes that serve, by the one they were forked from. */
function forked(parent: number): number[] {
  return childrenOf(parent).filter((pid) => commandLineOf(pid).includes('--preload'))
}

async function facts(server: RunningServer): Promise<string> {
  return (await exchangeOnce(server, get('/facts'))).text
}

const fact = (text: string, name: string) => new RegExp(`'${name}': ([^,}]*)`).exec(text)?.[1]

test.runIf(hasPython())('workers are forked from one process, and replaced by forks', async () => {
  const server = await startServer({
    app: 'shop:app',
    args: ['--preload', '--workers', '3', '--log-level', 'debug'],
    cwd: folder.path,
  })
  const [parent] = loads()
  const workers = forked(parent!)
  expect(workers.length).toBe(3)
  expect(server.log()).toMatch(/Preload parent \d+ has loaded shop:app/)
  // What was printed before the fork is there once.
  expect(server.log().match(/half a line and the rest/g)?.length).toBe(1)
  // Threads do not survive a fork.
  expect(server.log()).toMatch(
    /has a thread at the fork \(preload_app\).* stays locked \[MONO5007\]\. .*:\n[\s\S]*'sentinel', started at \S*shop\.py, line 11, in <mod/,
  )
  const seen = await facts(server)
  expect(Number(fact(seen, 'parent'))).toBe(parent)
  expect(seen).toContain("'multiprocess': True")
  expect(seen).not.toContain('sentinel')
  expect(seen).toContain("'handler': '<lambda>'")

  const stream = await startStream(server, { clients: 4, pause: 2, request: () => get('/') })
  const answered = () => stream.report.sent.length
  const more = async () => {
    const at = answered()
    await waitFor('more answers', () => answered() > at + 50, 60_000)
  }
  await more()

  // A worker is killed with a request: that one fails, and a fork replaces it.
  const lost = exchangeOnce(server, get('/wait'))
  const busy = await waitFor('a busy worker', () => {
    try {
      return Number(read('waiting'))
    } catch {
      return 0
    }
  })
  process.kill(busy, 'SIGKILL')
  expect((await lost).status).toBe(502)
  await server.waitForLog(new RegExp(`Worker ${busy} killed by SIGKILL`))
  await waitFor('three workers', () => forked(parent!).length === 3)
  expect(loads()).toEqual([parent])
  await more()

  // A reload has a new parent, and the old one leaves with its workers.
  write('generation', '1')
  server.signal('SIGHUP')
  await server.waitForLog(/Reloaded/)
  const second = loads().at(-1)!
  expect(second).not.toBe(parent)
  await waitUntilGone(parent!)
  expect(fact(await facts(server), 'parent')).toBe(String(second))
  await more()

  // One that cannot be loaded leaves everything as it was.
  write('generation', 'nonsense')
  server.signal('SIGHUP')
  await server.waitForLog(/Reload failed/)
  expect(server.log()).toMatch(/ValueError: invalid literal for int/)
  expect(fact(await facts(server), 'parent')).toBe(String(second))

  // The parent is killed: its workers go on, and the next worker has a new parent.
  write('generation', '2')
  const orphans = forked(second)
  process.kill(second, 'SIGKILL')
  await server.waitForLog(
    new RegExp(`Preload parent ${second} killed by SIGKILL. Its workers go.* \\[MONO5004\\]`),
  )
  await more()
  for (const orphan of orphans) expect(isAlive(orphan)).toBe(true)
  process.kill(orphans[0]!, 'SIGKILL')
  await waitFor('a worker of the new parent', async () => {
    return fact(await facts(server), 'generation') === '2'
  })
  expect(loads().length).toBe(4)
  await server.waitForLog(new RegExp(`Worker ${orphans[0]} ended; how is not known`))

  const { faults, sent } = await stream.stop()
  expect(faults).toEqual([])
  // Those that were given to a worker and begun there when it was killed.
  const failed = sent.filter(({ answer }) => answer.status !== 200)
  expect(failed.filter(({ answer }) => answer.status !== 502)).toEqual([])
  expect(failed.length).toBeLessThanOrEqual(1)
  await server.stop()
  for (const orphan of orphans) await waitUntilGone(orphan)
})

test.runIf(hasPython())('random numbers differ, and all leave with the acceptor', async () => {
  const server = await startServer({
    app: 'shop:app',
    args: ['--preload', '--workers', '2', '--threads', '2'],
    cwd: folder.path,
    // Too long for the address of a unix socket.
    env: { TMPDIR: makeLong() },
  })
  const [parent] = loads()
  const numbers = new Map<string, string>()
  await waitFor('answers of two workers', async () => {
    const all = await Promise.all([facts(server), facts(server), facts(server)])
    for (const text of all) numbers.set(fact(text, 'pid')!, fact(text, 'random')!)
    return numbers.size === 2
  })
  expect(new Set(numbers.values()).size).toBe(2)
  const workers = forked(parent!)
  const acceptor = Number(/Acceptor (\d+) with/.exec(server.log())?.[1])
  process.kill(acceptor, 'SIGKILL')
  for (const pid of [parent!, ...workers]) await waitUntilGone(pid)
  await waitFor('a new parent', () => loads().length === 2)
})

function makeLong(): string {
  const path = join(folder.path, 'long-'.repeat(20))
  mkdirSync(path)
  return path
}

test.runIf(hasPython())('an application that cannot be loaded ends the start', async () => {
  write('generation', 'nonsense')
  const { code, stderr, stdout } = await runCommand(
    ['--preload', '-w', '3', '-b', '127.0.0.1:0', 'shop:app'],
    { cwd: folder.path },
  )
  expect(code).toBe(3)
  const log = stdout + stderr
  expect(log.match(/ValueError: invalid literal for int/g)?.length).toBe(1)
  expect(log).not.toMatch(/preload\.py/)
})

test.runIf(hasPython())('load_timeout ends a parent that never loads', async () => {
  write('shop.py', 'import time\ntime.sleep(60)\n')
  const { code, stderr, stdout } = await runCommand(
    // Long enough for a busy machine to start Python and to import the module.
    ['--preload', '-w', '2', '--load-timeout', '8', '-b', '127.0.0.1:0', 'shop:app'],
    { cwd: folder.path },
  )
  expect(code).toBe(3)
  const log = stdout + stderr
  expect(log).toMatch(/Preload parent \d+ is still loading shop:app after 4 s/)
  expect(log).toMatch(/could not be loaded within 8 s \(load_timeout\)[\s\S]*time\.sleep\(60\)/)
})
