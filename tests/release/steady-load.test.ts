import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { startGunicorn } from '../support/gunicorn.ts'
import {
  childrenOf,
  commandLineOf,
  descendantsOf,
  isAlive,
  waitUntilGone,
} from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { type Failure, SteadyLoad } from '../support/steady-load.ts'
import { waitFor } from '../support/wait-for.ts'

// Clients send requests all the time while the server is reloaded, scaled, recycled, upgraded and
// hurt. No request may fail, except those of a process that was killed. Gunicorn runs the same
// course, and its failures are printed beside ours.

/** A server, and what differs between the two. */
interface Subject {
  readonly name: string
  readonly server: RunningServer
  readonly data: string
  /** The process that signals go to: an upgrade changes it. */
  master: number
  readonly reloaded: RegExp
  readonly upgraded: RegExp
  readonly upgradeFailed: RegExp
  /** How often it is reloaded, and with other settings. */
  readonly reloads: number
  readonly changes: number
}

const table: string[] = []
const alike = process.env.MONOCEROS_STEADY_ALIKE === '1'
const clientsOfEachKind = Number(process.env.MONOCEROS_STEADY_CLIENTS ?? 2)

async function subject(start: typeof startServer, name: string, args: string[]): Promise<Subject> {
  const ours = start === startServer
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  const pidfile = join(directory.path, 'pid')
  const config = join(directory.path, 'gunicorn.conf.py')
  writeFileSync(config, '')
  const server = await start({
    app: 'steady:app',
    cwd: appsDirectory,
    env: { TEST_DATA: directory.path },
    args: [
      ...['-c', config, '-w', '2', '--threads', '4', '--pid', pidfile],
      // After max_requests, Gunicorn sometimes waits until the end of it.
      ...['--graceful-timeout', '10'],
      ...args,
    ],
  })
  onTestFinished(async () => {
    const last = existsSync(pidfile) ? Number(readFileSync(pidfile)) : 0
    if (last === 0 || last === server.pid || !isAlive(last)) return
    process.kill(last, 'SIGTERM')
    await waitUntilGone(last, 25_000)
  })
  return {
    name,
    server,
    data: directory.path,
    master: server.pid,
    reloaded: ours ? /\] Reloaded\n/ : /Booting worker with pid[\s\S]*Booting worker with pid/,
    upgraded: ours ? /serves too/ : /Booting worker with pid[\s\S]*Booting worker with pid/,
    upgradeFailed: ours ? /Upgrade failed/ : /Worker failed to boot/,
    // Figures need fewer than a proof does; `MONOCEROS_STEADY_ALIKE=1` for those of a table.
    reloads: ours || alike ? 10 : 3,
    changes: ours || alike ? 5 : 2,
  }
}

/** Sends requests until the test is over, or the load is stopped. */
function startLoad({ server }: Subject): SteadyLoad {
  const load = new SteadyLoad(server, clientsOfEachKind)
  onTestFinished(() => load.stop())
  return load
}

/** Sends a signal and waits for what the log says then. */
async function signal(it: Subject, name: NodeJS.Signals, done: RegExp): Promise<void> {
  const from = it.server.log().length
  process.kill(it.master, name)
  await it.server.waitForLog(done, { from })
}

/** The new server serves, then the old one leaves. */
async function upgrade(it: Subject): Promise<void> {
  const pidfile = join(it.data, 'pid')
  await signal(it, 'SIGUSR2', it.upgraded)
  const next = Number(readFileSync(`${pidfile}.2`))
  process.kill(it.master, 'SIGTERM')
  await waitUntilGone(it.master, 30_000)
  await waitFor('the pid file of the new one', () => {
    return existsSync(pidfile) && Number(readFileSync(pidfile)) === next
  })
  it.master = next
}

async function failedUpgrade(it: Subject): Promise<void> {
  const broken = join(it.data, 'broken')
  writeFileSync(broken, '')
  await signal(it, 'SIGUSR2', it.upgradeFailed)
  rmSync(broken)
  // Gunicorn's new master may end by an exception, and leave its pid file.
  const pidfile = join(it.data, 'pid.2')
  await waitFor('the new one to be gone', () => {
    return !existsSync(pidfile) || !isAlive(Number(readFileSync(pidfile)))
  })
}

/** Runs a step under load. Returns what failed in it. */
async function during(
  it: Subject,
  load: SteadyLoad,
  what: string,
  step: () => Promise<void>,
): Promise<Failure[]> {
  const before = load.failures.length
  const answered = load.answered
  await step()
  await load.goesOn(100)
  const failures = load.failures.slice(before)
  const reasons = [...new Set(failures.map(({ kind, reason }) => `${kind}: ${reason}`))]
  table.push(
    `| ${what} | ${it.name} | ${load.answered - answered} | ${failures.length} | ` +
      `${reasons.slice(0, 3).join('; ')} |`,
  )
  return failures
}

/** The course that both servers run: what it is called, and what is done. */
const steps: readonly [
  (it: Subject) => string,
  (it: Subject, load: SteadyLoad) => Promise<void>,
][] = [
  [() => 'nothing', async () => {}],
  [
    ({ reloads }) => `HUP × ${reloads}`,
    async (it, load) => {
      for (let count = 0; count < it.reloads; count++) {
        await signal(it, 'SIGHUP', it.reloaded)
        await load.goesOn(10)
      }
    },
  ],
  [
    // Ours has new acceptors then, too.
    ({ changes }) => `HUP with other settings × ${changes}`,
    async (it, load) => {
      for (let count = 0; count < it.changes; count++) {
        writeFileSync(join(it.data, 'gunicorn.conf.py'), `keepalive = ${10 + count}\n`)
        await signal(it, 'SIGHUP', it.reloaded)
        await load.goesOn(10)
      }
    },
  ],
  [
    () => 'TTIN × 2, TTOU × 2',
    async (it, load) => {
      for (const name of ['SIGTTIN', 'SIGTTIN', 'SIGTTOU', 'SIGTTOU'] as const) {
        await signal(it, name, /TTIN|TTOU|ttin|ttou/)
        await load.goesOn(50)
      }
    },
  ],
  [
    () => 'USR2 × 2',
    async (it) => {
      await upgrade(it)
      await upgrade(it)
    },
  ],
  [() => 'USR2 to a broken version', failedUpgrade],
]

describe.skipIf(!hasPython())('under steady load', () => {
  afterAll(() => {
    console.log(
      ['| step | server | answered | failed | how |', '|---|---|---|---|---|', ...table].join('\n'),
    )
  })

  async function course(it: Subject): Promise<Failure[]> {
    const load = startLoad(it)
    const failures: Failure[] = []
    for (const [what, step] of steps)
      failures.push(...(await during(it, load, what(it), () => step(it, load))))
    await load.stop()
    return failures
  }

  test.each([
    ['without threads', ['-k', 'sync', '--threads', '1']],
    ['with threads', ['-k', 'gthread']],
  ])(
    '%s, reloads, scaling and upgrades cost no request',
    { timeout: 300_000 },
    async (how, args) => {
      expect(await course(await subject(startServer, `here, ${how}`, args))).toEqual([])
    },
  )

  test.each([
    ['sync', ['-k', 'sync', '--threads', '1']],
    ['gthread', ['-k', 'gthread']],
  ])(
    'the same course in Gunicorn (%s), for its figures',
    { timeout: 300_000 },
    async (how, args) => {
      const failures = await course(await subject(startGunicorn, `gunicorn ${how}`, args))
      // What fails is in the table.
      expect(failures.every(({ reason }) => reason !== '')).toBe(true)
    },
  )

  test.each([
    ['max_requests 20', ['--max-requests', '20'], 4],
    // Memory is looked at every two seconds, and a young worker is left alone.
    ['max_worker_memory 60M', ['--max-worker-memory', '60M'], 1],
    ['max_worker_lifetime 2', ['--max-worker-lifetime', '2'], 4],
  ])('%s costs no request', { timeout: 300_000 }, async (what, args, times) => {
    const replaced = new RegExp(`(replaces worker[\\s\\S]*){${times}}`)
    const it = await subject(startServer, 'here', args)
    const load = startLoad(it)
    const failures = await during(it, load, what, async () => {
      if (what.includes('memory')) await leakUntil(it, replaced)
      await it.server.waitForLog(replaced, { timeout: 60_000 })
    })
    await load.stop()
    expect(failures).toEqual([])
  })

  test('max_requests 20 in Gunicorn, for its figures', { timeout: 300_000 }, async () => {
    const it = await subject(startGunicorn, 'gunicorn gthread', [
      '-k',
      'gthread',
      '--max-requests',
      '20',
    ])
    const load = startLoad(it)
    await during(it, load, 'max_requests 20', async () => {
      await it.server.waitForLog(/(Autorestarting worker[\s\S]*){4}/i, { timeout: 60_000 })
    })
    await load.stop()
  })

  test('a killed worker costs its own requests', { timeout: 300_000 }, async () => {
    const it = await subject(startServer, 'here', [])
    const load = startLoad(it)
    for (let count = 0; count < 5; count++) {
      await load.goesOn(100)
      const [worker] = it.server.workers()
      const from = it.server.log().length
      let gone = 0
      const failures = await during(it, load, 'kill -9 of a worker', async () => {
        process.kill(worker!, 'SIGKILL')
        await waitUntilGone(worker!)
        gone = performance.now()
        await it.server.waitForLog(/Worker \d+ serves/, { from })
      })
      // What it ran: 502, or a stream that breaks off.
      expect(failures.length).toBeLessThanOrEqual(4)
      for (const failure of failures) {
        expect(failure.from).toBeLessThan(gone)
        expect(failure.reason).toMatch(failure.kind.startsWith('stream') ? /./ : /^502$/)
      }
    }
    await load.stop()
  })

  test('a killed worker in Gunicorn, for its figures', { timeout: 300_000 }, async () => {
    const it = await subject(startGunicorn, 'gunicorn gthread', ['-k', 'gthread'])
    const load = startLoad(it)
    for (let count = 0; count < 5; count++) {
      await load.goesOn(100)
      const from = it.server.log().length
      await during(it, load, 'kill -9 of a worker', async () => {
        process.kill(childrenOf(it.master)[0]!, 'SIGKILL')
        await it.server.waitForLog(/Booting worker/, { from })
      })
    }
    await load.stop()
  })

  test('a killed acceptor costs its own connections', { timeout: 300_000 }, async () => {
    const it = await subject(startServer, 'here', [])
    const load = startLoad(it)
    for (let count = 0; count < 3; count++) {
      await load.goesOn(100)
      const acceptor = childrenOf(it.master).find((pid) => commandLineOf(pid).includes('acceptor'))
      const from = it.server.log().length
      let gone = 0
      const failures = await during(it, load, 'kill -9 of an acceptor', async () => {
        process.kill(acceptor!, 'SIGKILL')
        await waitUntilGone(acceptor!)
        gone = performance.now()
        await it.server.waitForLog(/Acceptor \d+ with workers/, { from })
      })
      // A request that was made afterwards, or a connection that was opened then, would be ours.
      for (const { from, connected } of failures)
        expect(Math.min(from, connected)).toBeLessThan(gone)
    }
    await load.stop()
    expect(descendantsOf(it.master).length).toBeGreaterThan(0)
  })
})

/** Makes the workers grow, until the log says that. */
async function leakUntil({ server }: Subject, said: RegExp): Promise<void> {
  const end = Date.now() + 60_000
  for (let size = 0; !said.test(server.log()) && Date.now() < end; size++) {
    // 100 MB each are enough.
    const response = await fetch(`${server.url}/${size < 1000 ? 'leak' : ''}`)
    await response.text()
    expect(response.status).toBe(200)
  }
}
