import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { repository } from '../support/build.ts'
import { freePort } from '../support/free-port.ts'
import { hasPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { startServer } from '../support/server.ts'
import { type Failure, SteadyLoad } from '../support/steady-load.ts'
import { hasProgram } from '../support/system-program.ts'
import { waitFor } from '../support/wait-for.ts'

// A new version of a site replaces the old one, one server after another, while clients go on. What
// operates the servers takes each out of HAProxy's rotation before it stops.

type Start = (args: string[]) => Promise<RunningServer>

const app = 'steady:app'
const env = { TEST_DATA: '/nonexistent' }
const STARTS: Readonly<Record<'monoceros' | 'gunicorn', Start>> = {
  monoceros: (args) => startServer({ app, env, args: ['-w', '2', ...args], cwd: appsDirectory }),
  // With --reuse-port its workers bind the address, and the master cannot say where it listens.
  gunicorn: (args) =>
    runServer({
      command: join(testPython().prefix, 'bin', 'gunicorn'),
      args: ['--no-control-socket', '-w', '2', '-k', 'gthread', '--threads', '4', ...args, app],
      env: { ...process.env, ...env },
      cwd: appsDirectory,
      findAddresses: () => [`http://${args[1]}`],
      isReady: (log) => log.split('Booting worker with pid').length > 2,
      isWorker: (commandLine) => commandLine.includes('gunicorn'),
    }),
}

/** HAProxy with the configuration of examples/deploy, on ports of this test. */
class HAProxy {
  readonly host = '127.0.0.1'
  readonly port: number
  readonly #folder = temporaryDirectory()
  #process: ChildProcess | null = null

  private constructor(port: number) {
    this.port = port
  }

  static async before(ports: readonly number[]): Promise<HAProxy> {
    const proxy = new HAProxy(await freePort())
    const file = join(proxy.#folder.path, 'haproxy.cfg')
    const servers = [...ports]
    const text = readFileSync(join(repository, 'examples/deploy/haproxy.cfg'), 'utf8')
      .replace(/^ +bind :80$/m, `    bind 127.0.0.1:${proxy.port}`)
      .replace(/^ +bind :443 .*\n/m, '')
      .replace(/^ +http-request redirect .*\n/m, '')
      .replace('/health', '/')
      .replace('/run/haproxy/admin.sock', proxy.#admin)
      .replace(/10\.0\.0\.1[0-9]:8000/g, () => `127.0.0.1:${servers.shift()}`)
    expect(servers).toEqual([])
    writeFileSync(file, text)
    proxy.#process = spawn('haproxy', ['-db', '-f', file], { stdio: 'ignore' })
    await waitFor('HAProxy', async () => {
      const answer = await fetch(`http://127.0.0.1:${proxy.port}/`).catch(() => null)
      return answer?.status === 200
    })
    return proxy
  }

  get #admin(): string {
    return join(this.#folder.path, 'admin.sock')
  }

  /** Takes a server out of the rotation (`drain`), or into it (`ready`). */
  async set(server: string, state: 'drain' | 'ready'): Promise<void> {
    const socket = connect(this.#admin)
    socket.end(`set server mysite/${server} state ${state}\n`)
    socket.resume()
    await once(socket, 'close')
  }

  async stop(): Promise<void> {
    const child = this.#process
    if (child === null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
    this.#folder.remove()
  }
}

/** Replaces one of three servers after the other, and returns what failed. */
async function behindHAProxy(start: Start): Promise<{ answered: number; failures: Failure[] }> {
  const ports = await Promise.all([freePort(), freePort(), freePort()])
  const on = (port: number) => start(['--bind', `127.0.0.1:${port}`, '--keep-alive', '75'])
  const servers = await Promise.all(ports.map(on))
  const proxy = await HAProxy.before(ports)
  const load = new SteadyLoad(proxy)
  try {
    await load.goesOn(200)
    for (const [i, port] of ports.entries()) {
      const name = ['one', 'two', 'three'][i]!
      await proxy.set(name, 'drain')
      // What HAProxy had chosen it for before arrives.
      await load.goesOn(50)
      await servers[i]!.stop()
      await load.goesOn(100)
      servers[i] = await on(port)
      await proxy.set(name, 'ready')
      await load.goesOn(250)
    }
  } finally {
    await load.stop()
    await proxy.stop()
    await Promise.all(servers.map((server) => server.stop()))
  }
  return load
}

/** The same for two servers at one port: the second comes, then the first goes. */
async function onOnePort(start: Start): Promise<{ answered: number; failures: Failure[] }> {
  const port = await freePort()
  const on = () => start(['--bind', `127.0.0.1:${port}`, '--reuse-port'])
  let server = await on()
  const load = new SteadyLoad({ host: '127.0.0.1', port })
  try {
    await load.goesOn(300)
    for (let update = 0; update < 3; update++) {
      const old = server
      server = await on()
      await load.goesOn(200)
      await old.stop()
      await load.goesOn(300)
    }
  } finally {
    await load.stop()
    await server.stop()
  }
  return load
}

function summary(failures: readonly Failure[]): string {
  const counts = new Map<string, number>()
  for (const { kind, reason } of failures)
    counts.set(`${kind}: ${reason}`, (counts.get(`${kind}: ${reason}`) ?? 0) + 1)
  return [...counts].map(([text, count]) => `${count} × ${text}`).join('; ')
}

const SHARED = 'of two servers that share a port'
const INSIDE = 'MONOCEROS_TEST_OWN_NETWORK'

/**
 * Runs this file's tests of shared ports in a network of their own. There, connections that wait
 * for a socket that is closed go to another one at the same port (tcp_migrate_req of Linux 5.14),
 * instead of being reset.
 */
function inOwnNetwork(): string {
  const up = 'ip link set lo up && echo 1 > /proc/sys/net/ipv4/tcp_migrate_req'
  const vitest = join(repository, 'node_modules/.bin/vitest')
  const file = 'tests/release/rolling-update.test.ts'
  const run = `'${vitest}' run --project release ${file} -t '${SHARED}'`
  const { status, stdout, stderr } = spawnSync(
    'unshare',
    [...(process.getuid?.() === 0 ? [] : ['-r']), '-n', 'sh', '-ec', `${up} && exec ${run}`],
    { cwd: repository, env: { ...process.env, [INSIDE]: '1' }, encoding: 'utf8' },
  )
  expect(status, `${stdout}${stderr}`).toBe(0)
  return stdout
}

async function course(name: string, how: typeof onOnePort, server: keyof typeof STARTS) {
  const { answered, failures } = await how(STARTS[server])
  console.info(`${name}: ${server} failed ${failures.length} of ${answered}`, summary(failures))
  expect(answered).toBeGreaterThan(1000)
  return failures
}

describe.skipIf(!hasPython())('a rolling update under load', () => {
  const inside = process.env[INSIDE] === '1'

  describe.skipIf(inside || !hasProgram('haproxy'))('of three servers behind HAProxy', () => {
    const name = 'of three servers behind HAProxy'

    test('loses no request', async () => {
      expect(await course(name, behindHAProxy, 'monoceros')).toEqual([])
    })

    test('with Gunicorn, for comparison', async () => {
      await course(name, behindHAProxy, 'gunicorn')
    })
  })

  test.skipIf(inside)(
    'of two servers with --reuse-port loses no request',
    () => {
      for (const line of inOwnNetwork().split('\n'))
        if (/failed \d+ of/.test(line)) console.info(line)
    },
    300_000,
  )

  describe.skipIf(!inside)(SHARED, () => {
    test('loses no request', async () => {
      expect(await course(SHARED, onOnePort, 'monoceros')).toEqual([])
    })

    test('with Gunicorn, for comparison', async () => {
      await course(SHARED, onOnePort, 'gunicorn')
    })
  })
})
