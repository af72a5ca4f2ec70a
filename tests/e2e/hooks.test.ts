import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { startGunicorn } from '../support/gunicorn.ts'
import { blocksOf } from '../support/page-blocks.ts'
import { childrenOf, commandLineOf } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import type { RunningServer } from '../support/running-server.ts'
import { runCommand, runCommandHere, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

const cwd = join(import.meta.dirname, '..', 'apps', 'hooks')

let directory: { path: string; remove: () => void }
let starts = 0

beforeAll(() => {
  directory = temporaryDirectory()
})

afterAll(() => directory.remove())

/** What a hook of `tests/apps/hooks/gunicorn.conf.py` has noted. */
interface Note {
  readonly hook: string
  readonly where: 'server' | 'worker'
  readonly age?: number
}

class HookedServer {
  readonly server: RunningServer
  readonly #path: string

  private constructor(server: RunningServer, path: string) {
    this.server = server
    this.#path = path
  }

  static async start(start: typeof startServer, args: string[] = []): Promise<HookedServer> {
    const path = join(directory.path, `notes-${++starts}`)
    const server = await start({ app: 'hooked:app', args, cwd, env: { HOOK_NOTES: path } })
    return new HookedServer(server, path)
  }

  notes(): Note[] {
    try {
      return readFileSync(this.#path, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Note)
    } catch {
      return []
    }
  }

  /** Waits until a hook has been called that often. */
  async called(hook: string, times: number): Promise<void> {
    const calls = () => this.notes().filter((note) => note.hook === hook).length
    await waitFor(`${times} calls of ${hook}`, () => calls() >= times)
  }
}

/**
 * The same life for each server: requests, one worker more and one less, a reload, a timeout, and
 * the end.
 */
async function live(
  hooked: HookedServer,
  ready: (hooked: HookedServer, workers: number) => Promise<void> = async () => {},
): Promise<void> {
  const { server } = hooked
  await hooked.called('post_worker_init', 2)
  await ready(hooked, 2)
  for (const path of ['/a%20b?c=d', '/sized', '/raise']) {
    await fetch(new URL(path, server.url), { headers: { accept: '*/*', connection: 'close' } })
    await hooked.called(
      'post_request',
      hooked.notes().filter(({ hook }) => hook === 'pre_request').length,
    )
  }
  server.signal('SIGTTIN')
  await hooked.called('post_worker_init', 3)
  await ready(hooked, 3)
  server.signal('SIGTTOU')
  await hooked.called('child_exit', 1)
  server.signal('SIGHUP')
  await hooked.called('child_exit', 3)
  await hooked.called('post_worker_init', 5)
  await ready(hooked, 2)
  await fetch(new URL('/hang', server.url)).catch(() => null)
  await hooked.called('child_exit', 4)
  await hooked.called('post_worker_init', 6)
  await ready(hooked, 2)
  server.signal('SIGINT')
  await server.exited
}

/** A worker that the acceptor does not know to be ready yet is ended without its hooks. */
async function ready(hooked: HookedServer, workers: number): Promise<void> {
  const ctl = ['ctl', '--pid', String(hooked.server.pid), 'workers', '--json']
  await waitFor(`${workers} workers that serve`, async () => {
    return (await runCommand(ctl)).stdout.match(/"readyAt": \d/g)?.length === workers
  })
}

const REQUEST_HOOKS = ['pre_request', 'post_request']

/**
 * The notes of the server itself, in order, but for child_exit: here a replacement may be started
 * before the worker has ended, so that no request waits for it.
 */
function ofServer(notes: readonly Note[]): unknown[] {
  return notes.filter(({ where, hook }) => where === 'server' && hook !== 'child_exit')
}

/** The ends of workers, which come in any order. */
function ofEnds(notes: readonly Note[]): unknown[] {
  const ends = notes.filter(({ hook }) => hook === 'child_exit')
  return ends.sort((one, other) => (one.age ?? 0) - (other.age ?? 0))
}

/** What happened in each worker apart from its requests; any of them may have had those. */
function ofWorkers(notes: readonly Note[]): unknown[] {
  const lives = [1, 2, 3, 4, 5, 6].map((worker) =>
    notes.flatMap(({ age, ...note }) =>
      note.where === 'worker' && age === worker && !REQUEST_HOOKS.includes(note.hook) ? [note] : [],
    ),
  )
  return lives.sort((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)))
}

/**
 * The requests, in whichever worker they were. Gunicorn ends a worker that hangs by SystemExit, so
 * that post_request is called for its request; here the process ends after worker_abort.
 */
function ofRequests(notes: readonly Note[]): unknown[] {
  const requests = notes.filter(({ hook }) => REQUEST_HOOKS.includes(hook)).slice(0, 7)
  return requests.map(({ age, ...note }) => note)
}

describe.skipIf(!hasPython())('server hooks', () => {
  it('are called as by Gunicorn, with the same things to see', async () => {
    const [ours, theirs] = await Promise.all([
      HookedServer.start(startServer),
      HookedServer.start(startGunicorn),
    ])
    await Promise.all([live(ours, ready), live(theirs)])
    const a = ours.notes()
    const b = theirs.notes()
    expect(ofServer(a)).toEqual(ofServer(b))
    expect(ofEnds(a)).toEqual(ofEnds(b))
    expect(ofWorkers(a)).toEqual(ofWorkers(b))
    expect(ofRequests(a)).toEqual(ofRequests(b))
    // Entries have the process that wrote them, and the level of the settings.
    const { pid } = ours.server
    expect(ours.server.log()).toContain(`[${pid}] [INFO] on_starting with 2 workers\n`)
    expect(ours.server.log()).toContain(`[${pid}] [WARNING] through the logger\n`)
    expect(ours.server.log()).not.toContain('not at this level')
    expect(ours.server.log()).toMatch(/\[(\d+)\] \[INFO\] Worker spawned \(pid: \1\)\n/)
  })

  it('of preloaded workers with threads run in the workers, and QUIT runs their last ones', async () => {
    const hooked = await HookedServer.start(startServer, ['--preload', '--threads', '2'])
    await fetch(hooked.server.url)
    await hooked.called('post_request', 1)
    const spawned = /Worker spawned \(pid: (\d+)\)/.exec(hooked.server.log())
    process.kill(Number(spawned![1]), 'SIGKILL')
    await hooked.called('child_exit', 1)
    await hooked.called('post_worker_init', 3)
    await ready(hooked, 2)
    hooked.server.signal('SIGQUIT')
    await hooked.server.exited
    const notes = hooked.notes().map(({ hook, where }) => `${where} ${hook}`)
    const count = (note: string) => notes.filter((other) => other === note).length
    for (const hook of ['post_fork', 'post_worker_init']) expect(count(`worker ${hook}`)).toBe(3)
    for (const hook of ['worker_int', 'worker_exit']) expect(count(`worker ${hook}`)).toBe(2)
    expect(count('worker post_request')).toBe(1)
    expect(count('server child_exit')).toBe(3)
    expect(notes.at(-1)).toBe('server on_exit')
  })

  it.each([
    ['on_starting', 'def on_starting(server):\n    undefined()\n', 1],
    ['when_ready', 'def when_ready(server):\n    undefined()\n', 1],
    ['pre_fork', 'def pre_fork(server, worker):\n    undefined()\n', 1],
    ['post_fork', 'def post_fork(server, worker):\n    undefined()\n', 3],
    ['post_worker_init', 'def post_worker_init(worker):\n    undefined()\n', 3],
  ])('that raise refuse the start: %s', async (hook, source, status) => {
    const config = join(directory.path, `${hook}.conf.py`)
    writeFileSync(config, source)
    const exit = await runCommand(['-c', config, '--bind', '127.0.0.1:0', 'hooked:app'], { cwd })
    expect(exit.code).toBe(status)
    expect(exit.stderr).toContain(
      `The hook ${hook} raised [MONO5501]\nTraceback (most recent call last):`,
    )
    expect(exit.stderr).toContain(`${hook}.conf.py", line 2, in ${hook}`)
    expect(exit.stderr).toContain("NameError: name 'undefined' is not defined")
    expect(exit.stderr).not.toContain('monoceros/worker')
  })
})

describe.skipIf(!hasPython())('the process of the hooks', () => {
  it('may be killed, and the server goes on without them until it is reloaded', async () => {
    const config = join(directory.path, 'killed.conf.py')
    writeFileSync(
      config,
      'def pre_fork(server, worker): server.log.info("pre_fork here")\n' +
        'def child_exit(server, worker): pass\n',
    )
    const server = await startServer({ app: 'hooked:app', args: ['-c', config], cwd })
    const hosts = () =>
      childrenOf(server.pid).filter((pid) => commandLineOf(pid).includes('monoceros-config'))
    process.kill(hosts()[0]!, 'SIGKILL')
    await server.waitForLog(/killed by SIGKILL; no hook of the server is called any more/)
    const [worker] = /(?<=with worker )\d+/.exec(server.log())!
    process.kill(Number(worker), 'SIGKILL')
    await server.waitForLog(/Worker \d+ serves/)
    expect(server.log().match(/pre_fork here/g)).toHaveLength(1)
    server.signal('SIGHUP')
    await waitFor('the hooks', () => server.log().match(/pre_fork here/g)!.length === 2)
    expect(hosts()).toHaveLength(1)
    await server.stop()
  })
})

describe.skipIf(!hasPython())('the guide to hooks', () => {
  it('has an example that works', async () => {
    const example = blocksOf('docs/guides/hooks.md').find(({ language }) => language === 'python')!
    const metrics = join(directory.path, 'metrics')
    const config = join(directory.path, 'example.conf.py')
    writeFileSync(config, example.text.replace('/tmp/site-metrics', metrics))
    const server = await startServer({
      app: 'hooked:app',
      args: ['-c', config],
      cwd,
    })
    expect(statSync(metrics).isDirectory()).toBe(true)
    await fetch(new URL('/raise', server.url))
    await server.waitForLog(/\[\d+\] \[INFO\] Ready at \[\('127\.0\.0\.1', \d+\)\]\n/)
    await server.waitForLog(/\[(\d+)\] \[INFO\] Worker spawned \(pid: \1\)\n/)
    await server.waitForLog(/\[500\] |GET \/raise failed|Error handling request "GET \/raise/)
    await server.stop()
    expect(server.log()).toMatch(/\[INFO\] Worker \d+ is gone \(0\)\n/)
  })
})

describe('hooks in TypeScript', () => {
  /** Hooks append to a file, with the process in which they run. */
  const CONFIG = `
import { appendFileSync } from 'node:fs'
const note = (...facts: unknown[]) =>
  appendFileSync(process.env.HOOK_NOTES!, JSON.stringify([process.argv[1]!.split('/').at(-1), ...facts]) + '\\n')
export default {
  workers: 1,
  onStarting: (server) => { note('onStarting', server.pid === process.pid, server.workers); server.log.info('by a hook') },
  whenReady: async () => note('whenReady'),
  childExit: (server, worker) => note('childExit', worker.exitCode),
  onExit: () => note('onExit'),
  WORKERS
}
`
  const WORKERS = `
  postFork: (server, worker) => note('postFork', worker.pid === process.pid, server.pid === process.ppid),
  post_worker_init: () => note('postWorkerInit'),
  preRequest: (worker, request) => note('preRequest', request.method, request.target),
  postRequest: (worker, record) => note('postRequest', record.target, record.status, record.bytes),
  workerInt: () => note('workerInt'),
  workerExit: () => note('workerExit'),
`

  function write(name: string, config: string): string {
    const folder = join(directory.path, name)
    mkdirSync(folder)
    writeFileSync(join(folder, 'monoceros.config.ts'), config)
    const app = `
const body = new TextEncoder().encode('hello')
export default (_: unknown, start: Function) => (start('200 OK', []), [body])
`
    writeFileSync(join(folder, 'app.ts'), app)
    writeFileSync(join(folder, 'plain.py'), 'def app(environ, start):\n    start("200 OK", [])\n')
    return folder
  }

  it('run beside the arbiter and in the process of the application', async () => {
    const cwd = write('typescript', CONFIG.replace('WORKERS', WORKERS))
    const path = join(cwd, 'notes')
    const server = await startServer({ app: 'app.ts', cwd, env: { HOOK_NOTES: path } })
    await (await fetch(new URL('/a?b=c', server.url))).text()
    await waitFor('postRequest', () => readFileSync(path, 'utf8').includes('postRequest'))
    server.signal('SIGINT')
    await server.exited
    const notes = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(notes).toEqual([
      ['main.js', 'onStarting', true, 1],
      ['main.js', 'whenReady'],
      ['process.js', 'postFork', true, true],
      ['process.js', 'postWorkerInit'],
      ['process.js', 'preRequest', 'GET', '/a?b=c'],
      ['process.js', 'postRequest', '/a?b=c', 200, 5],
      ['process.js', 'workerInt'],
      ['process.js', 'workerExit'],
      ['main.js', 'childExit', 0],
      ['main.js', 'onExit'],
    ])
    expect(server.log()).toContain('[INFO] by a hook')
  })

  it.skipIf(!hasPython())('can run beside the arbiter of a Python application only', async () => {
    const cwd = write('refused', CONFIG.replace('WORKERS', WORKERS))
    const { code, stderr } = await runCommandHere(['plain:app'], { cwd })
    expect(code).toBe(2)
    expect(stderr).toBe(
      'monoceros: monoceros.config.ts: postFork: this hook runs in the workers, and those of a ' +
        'Python application cannot run a function in TypeScript or JavaScript. ' +
        'Use a gunicorn.conf.py [MONO1048]\n',
    )
    const served = write('python', CONFIG.replace('WORKERS', ''))
    const path = join(served, 'notes')
    const server = await startServer({ app: 'plain:app', cwd: served, env: { HOOK_NOTES: path } })
    await server.stop()
    const notes = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)[1])
    expect(notes).toEqual(['onStarting', 'whenReady', 'childExit', 'onExit'])
  })
})
