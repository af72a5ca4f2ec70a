import { spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { childrenOf, isAlive } from '../../tests/support/processes.ts'
import { waitFor, within } from '../../tests/support/wait-for.ts'
import { loadSettings } from '../config/load-settings.ts'
import { fromElsewhere } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import type { Settings } from '../settings/table.ts'
import type { ArbiterActions, ArbiterDriver, DriverLog } from './actions.ts'
import { type ArbiterOptions, runArbiter } from './arbiter.ts'

const acceptorProgram = join(import.meta.dirname, 'fixtures', 'acceptor.mjs')

let directory: string
let outerTmp: string | undefined
let arbiters: TestArbiter[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  outerTmp = process.env.TMPDIR
  // So that a test sees what is left there by its own arbiter.
  process.env.TMPDIR = directory
})

afterEach(async () => {
  if (outerTmp === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = outerTmp
  for (const arbiter of arbiters) await arbiter.end()
  arbiters = []
  rmSync(directory, { recursive: true })
})

/**
 * Stands for `process`, so that a test can send signals to an arbiter that runs in the test's own
 * process.
 */
class TestHost extends EventEmitter {
  readonly pid = process.pid
  exitCode: number | undefined

  exit(code: number): void {
    this.exitCode ??= code
  }
}

/** An acceptor as the log shows it. */
interface ShownAcceptor {
  pid: number
  workers: number[]
}

/**
 * An arbiter under test, with the acceptor of `fixtures/`, whose behaviour is in the name of the
 * application.
 */
class TestArbiter {
  readonly host = new TestHost()
  readonly logPath = join(directory, `log-${arbiters.length}`)
  status: Promise<number> = Promise.resolve(-1)

  async settings(app: string, args: readonly string[] = []): Promise<Settings> {
    const bind = args.includes('--bind') ? [] : ['--bind', '127.0.0.1:0']
    const all = ['--error-logfile', this.logPath, ...bind, ...args, app]
    return (await loadSettings({ args: all, env: {}, cwd: directory })).settings
  }

  async run(
    app: string,
    args: readonly string[] = [],
    options: ArbiterOptions = {},
  ): Promise<this> {
    const settings = await this.settings(app, args)
    this.status = runArbiter(settings, { acceptorProgram, host: this.host, ...options })
    return this
  }

  log(): string {
    return existsSync(this.logPath) ? readFileSync(this.logPath, 'utf8') : ''
  }

  logged(pattern: RegExp): Promise<RegExpExecArray> {
    return waitFor(`${pattern} in the log`, () => pattern.exec(this.log())).catch(
      (error: Error) => {
        throw new Error(`${error.message}; it has:\n${this.log()}`)
      },
    )
  }

  async serving(): Promise<this> {
    await this.logged(/Listening at .*\n/)
    return this
  }

  get port(): number {
    return Number(/.*Listening at http:\/\/127\.0\.0\.1:(\d+)/s.exec(this.log())?.[1])
  }

  /** The pids of the last acceptors that were said to serve, and of their workers. */
  acceptors(): ShownAcceptor[] {
    return [...this.log().matchAll(/Acceptor (\d+) with workers? ([\d, ]+)\n/g)].map((match) => ({
      pid: Number(match[1]),
      workers: match[2]!.split(', ').map(Number),
    }))
  }

  signal(name: NodeJS.Signals): void {
    this.host.emit(name)
  }

  async stopped(): Promise<number> {
    return await within('the arbiter to stop', 15_000, this.status)
  }

  async end(): Promise<void> {
    this.signal('SIGQUIT')
    await this.stopped()
  }
}

function testArbiter(): TestArbiter {
  const arbiter = new TestArbiter()
  arbiters.push(arbiter)
  return arbiter
}

async function serve(
  app: string,
  args: readonly string[] = [],
  options: ArbiterOptions = {},
): Promise<TestArbiter> {
  return await (await testArbiter().run(app, args, options)).serving()
}

/** A client's connection and what it was told. */
class Client {
  text = ''
  readonly socket: Socket
  readonly closed: Promise<string>

  constructor(to: { port: number; host?: string } | { path: string }) {
    this.socket = connect(to)
    this.socket.on('data', (data) => {
      this.text += data
    })
    this.closed = new Promise((resolve) => {
      this.socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
      this.socket.once('close', () => resolve(this.text))
    })
  }

  /** The pid of the acceptor that took the connection. */
  async acceptor(): Promise<number> {
    return Number((await waitFor('a greeting', () => /^pid (\d+) .*\n/.exec(this.text)))[1])
  }
}

function ask(port: number): Promise<string> {
  return within('an answer', 10_000, new Client({ port, host: '127.0.0.1' }).closed)
}

function leftovers(): string[] {
  return readdirSync(directory).filter((name) => /^monoceros-/.test(name))
}

function expectNothingLeft(arbiter: TestArbiter): void {
  for (const { pid, workers } of arbiter.acceptors())
    expect([pid, ...workers].filter(isAlive)).toEqual([])
  expect(
    childrenOf(process.pid).filter((pid) => commandOf(pid).includes('fixtures/acceptor')),
  ).toEqual([])
  expect(leftovers()).toEqual([])
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

describe('starting', () => {
  test('the banner says what runs where, and ends with the addresses', async () => {
    const path = join(directory, 'site.sock')
    const args = ['-w', '3', '--threads', '2', '--acceptors', '2']
    const arbiter = await serve('hello:app', [
      ...args,
      '--bind',
      '127.0.0.1:0',
      '--bind',
      `unix:${path}`,
    ])
    await arbiter.logged(/Listening at unix:/)
    const lines = arbiter
      .log()
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^\[.*?\] /, ''))
    expect(lines).toEqual([
      expect.stringMatching(/^\[\d+\] \[INFO\] Starting monoceros \d+\.\d+\.\d+$/),
      `[${process.pid}] [INFO] Serving hello:app with 3 workers, 2 threads each, CPython ` +
        '3.11.7 (/usr/bin/python3)',
      expect.stringMatching(/\[INFO\] Acceptor \d+ with workers \d+, \d+$/),
      expect.stringMatching(/\[INFO\] Acceptor \d+ with worker \d+$/),
      expect.stringMatching(/\[INFO\] Listening at http:\/\/127\.0\.0\.1:[1-9]\d* \(\d+\)$/),
      `[${process.pid}] [INFO] Listening at unix:${path} (${process.pid})`,
    ])
    expect(await ask(arbiter.port)).toMatch(/^pid \d+ workers [12] app hello:app\n$/)
    expect(await new Client({ path }).closed).toMatch(/^pid/)
  })

  test('with more acceptors than workers, each acceptor has one worker', async () => {
    const arbiter = await serve('ok', ['--workers', '1', '--acceptors', '2'])
    expect(arbiter.log()).toContain('Serving ok with 2 workers, 1 thread each')
  })

  test('an application that cannot be loaded is shown with its traceback; the status is 3', async () => {
    const arbiter = await testArbiter().run('broken', ['--acceptors', '2'])
    expect(await arbiter.stopped()).toBe(EXIT.server.NOT_LOADED)
    expect(EXIT.server.NOT_LOADED).toBe(3)
    expect(arbiter.log().match(/Traceback/g)).toHaveLength(1)
    expect(arbiter.log()).toContain('ImportError: no such thing')
    expect(arbiter.log()).not.toContain('Listening')
    expectNothingLeft(arbiter)
  })

  test('what else an acceptor cannot start for is shown; the status is 1', async () => {
    const arbiter = await testArbiter().run('no-interpreter')
    expect(await arbiter.stopped()).toBe(1)
    expect(arbiter.log()).toMatch(/\[ERROR\] No Python interpreter was found\n/)
    expectNothingLeft(arbiter)
  })

  test('an acceptor that dies while it starts is told; the status is 1', async () => {
    const arbiter = await testArbiter().run('dies-young')
    expect(await arbiter.stopped()).toBe(1)
    expect(arbiter.log()).toMatch(
      /Acceptor \d+ was killed by SIGKILL before it was ready \[MONO5101\]\n/,
    )
    expectNothingLeft(arbiter)
  })

  test('a port in use is one line; the status is 1 and nothing was started', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const { port } = other.address() as { port: number }
    const arbiter = await testArbiter().run('ok', ['--bind', `127.0.0.1:${port}`])
    expect(await arbiter.stopped()).toBe(1)
    expect(arbiter.log()).toContain(`[ERROR] Address already in use: 127.0.0.1:${port}. Stop`)
    expect(arbiter.log().trimEnd().split('\n')).toHaveLength(2)
    await new Promise((resolve) => other.close(resolve))
  })

  test('a log file that cannot be opened ends it with status 1', async () => {
    const missing = join(directory, 'absent', 'log')
    const arbiter = await testArbiter().run('ok', ['--error-logfile', missing])
    expect(await arbiter.stopped()).toBe(1)
  })

  test('without a place for temporary files the status is 1, and the place is named', async () => {
    process.env.TMPDIR = join(directory, 'absent')
    const arbiter = await testArbiter().run('ok')
    expect(await arbiter.stopped()).toBe(1)
    expect(arbiter.log()).toContain(
      `Cannot make a temporary directory in ${join(directory, 'absent')} (ENOENT).`,
    )
    process.env.TMPDIR = directory
    expectNothingLeft(arbiter)
  })

  test('each acceptor has a directory that is its own, where tmp_upload_dir says', async () => {
    const place = join(directory, 'uploads')
    mkdirSync(place)
    const arbiter = await serve('ok', ['--acceptors', '2', '--tmp-upload-dir', place])
    const made = readdirSync(place)
    expect(made).toHaveLength(2)
    for (const name of made) expect(statSync(join(place, name)).mode & 0o777).toBe(0o700)
    arbiter.signal('SIGTERM')
    await arbiter.stopped()
    expect(readdirSync(place)).toEqual([])
  })

  test('a pidfile is there while it serves, and a second server with it is refused', async () => {
    const pidfile = join(directory, 'site.pid')
    const arbiter = await serve('ok', ['--pid', pidfile])
    expect(readFileSync(pidfile, 'utf8')).toBe(`${process.pid}\n`)
    arbiter.signal('SIGTERM')
    await arbiter.stopped()
    expect(existsSync(pidfile)).toBe(false)
    writeFileSync(pidfile, `${process.ppid}\n`)
    const refused = await testArbiter().run('ok', ['--pid', pidfile])
    expect(await refused.stopped()).toBe(1)
    expect(refused.log()).toContain(`names process ${process.ppid}`)
  })

  test('workers inherit neither the listening sockets nor the channel to the arbiter', async () => {
    const arbiter = await serve('ok')
    const [{ workers }] = arbiter.acceptors() as [ShownAcceptor]
    const open = readdirSync(`/proc/${workers[0]}/fd`).map(Number)
    // stdin, stdout, stderr, and what the shell opens for itself from 10 on.
    expect(open.filter((fd) => fd > 2 && fd < 10)).toEqual([])
    expect(readlinkSync(`/proc/${workers[0]}/fd/1`)).toBe('/dev/null')
  })
})

describe('stopping', () => {
  test('on TERM what is in flight finishes, new connections are refused, and the status is 0', async () => {
    const arbiter = await serve('slow')
    const client = new Client({ port: arbiter.port })
    await client.acceptor()
    arbiter.signal('SIGTERM')
    await waitFor('refusal', async () => {
      const probe = new Client({ port: arbiter.port, host: '127.0.0.1' })
      // One that was still taken is in flight too, and is not to be waited for.
      probe.socket.once('connect', () => probe.socket.write('go on'))
      return (await within('an answer', 10_000, probe.closed)) === 'ECONNREFUSED'
    })
    client.socket.write('go on')
    expect(await client.closed).toContain('finished')
    expect(await arbiter.stopped()).toBe(0)
    expect(arbiter.log()).toMatch(
      /SIGTERM: stopping; requests in progress have 30 s to finish \(graceful_timeout\)\n/,
    )
    expect(arbiter.log()).toMatch(/Stopped\n$/)
    expectNothingLeft(arbiter)
  })

  test('INT stops gracefully, a second INT at once', async () => {
    const arbiter = await serve('slow')
    const client = new Client({ port: arbiter.port })
    await client.acceptor()
    arbiter.signal('SIGINT')
    await arbiter.logged(/SIGINT: stopping; requests/)
    expect(client.socket.readyState).toBe('open')
    arbiter.signal('SIGINT')
    expect(await arbiter.stopped()).toBe(0)
    expect(await client.closed).not.toContain('finished')
    expectNothingLeft(arbiter)
  })

  test('a second TERM changes nothing, QUIT stops at once', async () => {
    const arbiter = await serve('slow')
    const client = new Client({ port: arbiter.port })
    await client.acceptor()
    arbiter.signal('SIGTERM')
    arbiter.signal('SIGTERM')
    expect(arbiter.log()).not.toContain('immediately')
    arbiter.signal('SIGQUIT')
    expect(await arbiter.stopped()).toBe(0)
    expect(arbiter.log()).toContain('SIGQUIT: stopping immediately')
  })

  test('an acceptor that does not stop is killed after graceful_timeout, with its workers, and the status is 0', async () => {
    const arbiter = await serve('never-stops stuck-workers', [
      '--graceful-timeout',
      '0.2',
      '-w',
      '2',
    ])
    const began = performance.now()
    arbiter.signal('SIGTERM')
    expect(await arbiter.stopped()).toBe(0)
    expect(performance.now() - began).toBeGreaterThan(200)
    expectNothingLeft(arbiter)
  })

  test('workers that an acceptor leaves behind are ended', async () => {
    const arbiter = await serve('stuck-workers')
    const [{ workers }] = arbiter.acceptors() as [ShownAcceptor]
    expect(isAlive(workers[0]!)).toBe(true)
    arbiter.signal('SIGTERM')
    expect(await arbiter.stopped()).toBe(0)
    expectNothingLeft(arbiter)
  })

  test('while the application is being loaded there is nothing to wait for', async () => {
    const arbiter = await testArbiter().run('never-ready')
    await waitFor('an acceptor', () => leftovers().length > 0)
    arbiter.signal('SIGTERM')
    expect(await arbiter.stopped()).toBe(0)
    expect(arbiter.log()).not.toContain('ERROR')
    expectNothingLeft(arbiter)
  })

  test('when the arbiter ends without waiting, every process is killed first', async () => {
    const path = join(directory, 'site.sock')
    const arbiter = await serve('never-stops stuck-workers', ['--bind', `unix:${path}`])
    arbiter.host.emit('exit')
    expect(leftovers()).toEqual([])
    expect(existsSync(path)).toBe(false)
    const pids = arbiter.acceptors().flatMap(({ pid, workers }) => [pid, ...workers])
    await waitFor('every process to be gone', () => !pids.some(isAlive))
    expect(await arbiter.stopped()).toBe(0)
  })

  test('a mistake of our own is logged with its stack; the status is 70', async () => {
    const arbiter = await serve('ok')
    arbiter.host.emit('uncaughtException', new Error('we slipped'))
    expect(arbiter.host.exitCode).toBe(70)
    expect(arbiter.log()).toMatch(
      /\[CRITICAL\] Bug in the arbiter, please report it: Error: we slipped \[MONO5902\]\n.*at /,
    )
    await arbiter.stopped()
    expectNothingLeft(arbiter)
  })
})

describe('supervision', () => {
  test('a killed acceptor is replaced, and connections made meanwhile wait for it', async () => {
    const arbiter = await serve('ok', ['-w', '2'])
    const [first] = arbiter.acceptors()
    process.kill(first!.pid, 'SIGKILL')
    await waitFor('the acceptor to be dead', () => !isAlive(first!.pid))
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(arbiter.port)))
    await arbiter.logged(/was killed by SIGKILL; starting a replacement/)
    const second = await waitFor('the replacement', () => arbiter.acceptors()[1])
    for (const answer of answers) expect(answer).toBe(`pid ${second.pid} workers 2 app ok\n`)
    await waitFor('the dead one to leave nothing', () => leftovers().length === 1)
    expect(first!.workers.filter(isAlive)).toEqual([])
  })

  test('workers that hang after their acceptor was killed are ended after graceful_timeout', async () => {
    const arbiter = await serve('stuck-workers', ['--graceful-timeout', '0.3'])
    const [first] = arbiter.acceptors()
    process.kill(first!.pid, 'SIGKILL')
    await waitFor('the replacement', () => arbiter.acceptors()[1])
    await waitFor('the old worker to be gone', () => !first!.workers.some(isAlive))
    await waitFor('its directory to be gone', () => leftovers().length === 1)
  })

  test('an acceptor that leaves in order is replaced before what it has in flight is over', async () => {
    const arbiter = await serve('slow')
    const client = new Client({ port: arbiter.port })
    const first = await client.acceptor()
    process.kill(first, 'SIGTERM')
    await arbiter.logged(
      new RegExp(`Acceptor ${first} is leaving; starting a replacement \\[MONO5103\\]\n`),
    )
    const second = await waitFor('the replacement', () => arbiter.acceptors()[1])
    expect(isAlive(first)).toBe(true)
    expect(client.socket.readyState).toBe('open')
    const other = new Client({ port: arbiter.port })
    expect(await other.acceptor()).toBe(second.pid)
    client.socket.write('go on')
    expect(await client.closed).toContain('finished')
    await waitFor('the first to be gone', () => !isAlive(first))
    other.socket.write('go on')
    await other.closed
  })

  test('acceptors that die young are replaced later and later, and a repaired application serves again', async () => {
    const marker = join(directory, 'marker')
    const arbiter = await serve(`broken-when:${marker}`)
    writeFileSync(marker, 'broken')
    process.kill(arbiter.acceptors()[0]!.pid, 'SIGKILL')
    await arbiter.logged(/was killed by SIGKILL; starting a replacement in 0\.1 s \[MONO5101\]\n/)
    await arbiter.logged(
      /ImportError: no such thing\n.*could not start; starting a replacement in 0\.2 s \[MONO5102\]\n/,
    )
    await arbiter.logged(/could not start; starting a replacement in 0\.4 s \[MONO5102\]\n/)
    const answer = ask(arbiter.port)
    writeFileSync(marker, '')
    expect(await answer).toMatch(/^pid/)
  })

  test('only the acceptor that died is replaced', async () => {
    const arbiter = await serve('ok', ['--acceptors', '2', '-w', '2'])
    const [first, second] = arbiter.acceptors()
    process.kill(first!.pid, 'SIGKILL')
    await waitFor('the replacement', () => arbiter.acceptors()[2])
    expect(isAlive(second!.pid)).toBe(true)
    arbiter.signal('SIGTERM')
    expect(await arbiter.stopped()).toBe(0)
    expectNothingLeft(arbiter)
  })

  test('told to stop while a replacement is due, it starts none', async () => {
    const marker = join(directory, 'marker')
    const arbiter = await serve(`broken-when:${marker}`)
    writeFileSync(marker, 'broken')
    process.kill(arbiter.acceptors()[0]!.pid, 'SIGKILL')
    await arbiter.logged(/starting a replacement in 0\.4 s \[MONO5102\]\n/)
    arbiter.signal('SIGTERM')
    expect(await arbiter.stopped()).toBe(0)
    expectNothingLeft(arbiter)
  })
})

describe('HUP', () => {
  test('has every acceptor load the application anew, and keeps the acceptors', async () => {
    const arbiter = await serve('ok', ['--acceptors', '2'])
    const before = arbiter.acceptors()
    arbiter.signal('SIGHUP')
    await arbiter.logged(/SIGHUP: reloading\n.*Reloaded\n/s)
    for (const { pid, workers } of before) {
      expect(isAlive(pid)).toBe(true)
      await waitFor('the old workers to leave', () => !workers.some(isAlive))
    }
  })

  test('with a broken application logs the traceback and goes on with the old workers', async () => {
    const marker = join(directory, 'marker')
    const arbiter = await serve(`broken-when:${marker}`)
    const [{ pid, workers }] = arbiter.acceptors() as [ShownAcceptor]
    writeFileSync(marker, 'broken')
    arbiter.signal('SIGHUP')
    await arbiter.logged(
      /SyntaxError: broken \[MONO5202\]\n.*Reload failed; the previous .* in use \[MONO5202\]\n/,
    )
    expect([pid, ...workers].every(isAlive)).toBe(true)
    expect(await ask(arbiter.port)).toMatch(new RegExp(`^pid ${pid} `))
  })

  test('sent again while it reloads, it begins anew, once for all that came meanwhile', async () => {
    const arbiter = await serve('ok')
    for (let times = 0; times < 5; times++) arbiter.signal('SIGHUP')
    await arbiter.logged(/Reloaded\n/)
    arbiter.signal('SIGTERM')
    await arbiter.stopped()
    expect(arbiter.log().match(/abandoning the reload in progress, to begin again/g)).toHaveLength(
      1,
    )
    expect(arbiter.log().match(/SIGHUP: reloading/g)).toHaveLength(2)
    expect(arbiter.log().match(/Reloaded/g)).toHaveLength(1)
    expect(arbiter.log()).not.toContain('ERROR')
  })

  test('sent again while a load hangs in the acceptors, gives that up and loads what is there now', async () => {
    const marker = join(directory, 'marker')
    const arbiter = await serve(`ok hangs-when:${marker}`, ['--acceptors', '2'])
    writeFileSync(marker, 'hang')
    arbiter.signal('SIGHUP')
    await arbiter.logged(/SIGHUP: reloading\n/)
    writeFileSync(marker, '')
    arbiter.signal('SIGHUP')
    await arbiter.logged(
      /abandoning the reload in progress, to begin again\n.*SIGHUP: reloading\n.*Reloaded\n/s,
    )
    expect(arbiter.log()).not.toContain('Reload failed')
    // It is not lamed by that either.
    arbiter.signal('SIGHUP')
    await arbiter.logged(/Reloaded\n.*Reloaded\n/s)
  })

  test('sent again while new acceptors hang, ends them and starts others with the newest settings', async () => {
    const arbiter = testArbiter()
    const next = ['never-ready', 'ok again']
    await arbiter.run('ok', [], { readSettings: () => arbiter.settings(next.shift()!) })
    await arbiter.serving()
    const { port } = arbiter
    const [{ pid: old }] = arbiter.acceptors() as [ShownAcceptor]
    arbiter.signal('SIGHUP')
    await waitFor('the new acceptor', () => leftovers().length === 2)
    expect(await ask(port)).toMatch(/app ok\n$/)
    arbiter.signal('SIGHUP')
    await arbiter.logged(/abandoning the reload in progress, to begin again\n.*Reloaded\n/s)
    expect(await ask(port)).toMatch(/app ok again\n$/)
    await waitFor('the old acceptor to be gone', () => !isAlive(old) && leftovers().length === 1)
    expect(arbiter.log()).not.toContain('ERROR')
  })

  test('sent again while the settings are not read to their end, reads them anew', async () => {
    const arbiter = testArbiter()
    let times = 0
    await arbiter.run('ok', [], {
      readSettings: () => (times++ === 0 ? new Promise(() => {}) : arbiter.settings('ok again')),
    })
    await arbiter.serving()
    arbiter.signal('SIGHUP')
    await waitFor('the settings to be read', () => times === 1)
    arbiter.signal('SIGHUP')
    await arbiter.logged(/Reloaded\n/)
    expect(await ask(arbiter.port)).toMatch(/app ok again\n$/)
  })

  test('settings that are never read to their end cost the reload after load_timeout', async () => {
    const arbiter = testArbiter()
    await arbiter.run('ok', ['--load-timeout', '0.5'], {
      readSettings: () => new Promise(() => {}),
    })
    await arbiter.serving()
    arbiter.signal('SIGHUP')
    await arbiter.logged(
      /still loading the settings after 0\.3 s.*the settings could not be loaded within 0\.5 s.*config file.*Reload failed/s,
    )
    expect(await ask(arbiter.port)).toMatch(/app ok\n$/)
  })

  test('ends an acceptor that still loads in the place of one that died, and starts another', async () => {
    const marker = join(directory, 'marker')
    const arbiter = await serve(`ok hangs-at-start-when:${marker}`)
    const [{ pid }] = arbiter.acceptors() as [ShownAcceptor]
    writeFileSync(marker, 'hang')
    process.kill(pid, 'SIGKILL')
    await waitFor('its replacement to hang', () => existsSync(`${marker}-hangs`))
    writeFileSync(marker, '')
    arbiter.signal('SIGHUP')
    await arbiter.logged(/Reloaded\n/)
    expect(await ask(arbiter.port)).toMatch(/^pid \d+ /)
    await waitFor('the one that hung to be gone', () => leftovers().length === 1)
  })

  test('while the server starts there is nothing to reload, and the log says so', async () => {
    const arbiter = await testArbiter().run('never-ready')
    await waitFor('the acceptor', () => leftovers().length === 1)
    arbiter.signal('SIGHUP')
    await arbiter.logged(/SIGHUP: cannot reload\. The server is still starting; .* \[MONO5201\]/)
  })

  test('then TERM while a reload hangs in the acceptors, everything stops', async () => {
    const marker = join(directory, 'marker')
    const arbiter = await serve(`ok hangs-when:${marker}`)
    writeFileSync(marker, 'hang')
    arbiter.signal('SIGHUP')
    await arbiter.logged(/SIGHUP: reloading\n/)
    arbiter.signal('SIGTERM')
    expect(await arbiter.stopped()).toBe(0)
    expectNothingLeft(arbiter)
  })

  test('with changed settings brings new acceptors, while the old ones finish what they have', async () => {
    const arbiter = testArbiter()
    const path = join(directory, 'site.sock')
    await arbiter.run('slow', ['--bind', '127.0.0.1:0', '--bind', `unix:${path}`], {
      readSettings: () =>
        arbiter.settings('ok', ['--bind', '127.0.0.1:0', '--bind', '[::1]:0', '-w', '2']),
    })
    await arbiter.logged(/Listening at unix:/)
    const { port } = arbiter
    const client = new Client({ port })
    const first = await client.acceptor()
    arbiter.signal('SIGHUP')
    await arbiter.logged(/Reloaded\n/)
    // The address that stayed has its port still, one was dropped, one added.
    expect(await ask(port)).toMatch(/workers 2 app ok\n$/)
    expect(existsSync(path)).toBe(false)
    const [, added] = await arbiter.logged(/Listening at http:\/\/\[::1\]:(\d+)/)
    expect(await new Client({ port: Number(added), host: '::1' }).closed).toMatch(/app ok\n$/)
    expect(isAlive(first)).toBe(true)
    client.socket.write('go on')
    expect(await client.closed).toContain('finished')
    await waitFor('the old acceptor to be gone', () => !isAlive(first))
    arbiter.signal('SIGTERM')
    expect(await arbiter.stopped()).toBe(0)
    expectNothingLeft(arbiter)
  })

  test('with settings that are wrong or do not work, everything stays as it was', async () => {
    const arbiter = testArbiter()
    const answers: (() => Promise<Settings>)[] = [
      () => Promise.reject(new Error('monoceros.config.json: no such setting: wrokers')),
      () => arbiter.settings('broken', ['-w', '2']),
      () => arbiter.settings('ok', ['--bind', '192.0.2.1:80']),
      () => arbiter.settings('ok', ['--error-logfile', join(directory, 'absent', 'log')]),
    ]
    await arbiter.run('ok', [], { readSettings: () => answers.shift()!() })
    await arbiter.serving()
    const [{ pid }] = arbiter.acceptors() as [ShownAcceptor]
    for (const reason of [/no such setting: wrokers/, /ImportError/, /192\.0\.2\.1:80/, /absent/]) {
      arbiter.signal('SIGHUP')
      await arbiter.logged(
        new RegExp(
          `${reason.source}.*\n.*Reload failed; the previous application and settings stay ` +
            'in use \\[MONO5202\\]\n$',
        ),
      )
      expect(await ask(arbiter.port)).toBe(`pid ${pid} workers 1 app ok\n`)
      expect(leftovers()).toHaveLength(1)
    }
  })

  test('then TERM while the new acceptors still load, everything stops', async () => {
    const arbiter = testArbiter()
    await arbiter.run('ok', [], { readSettings: () => arbiter.settings('never-ready') })
    await arbiter.serving()
    arbiter.signal('SIGHUP')
    await waitFor('the new acceptor', () => leftovers().length === 2)
    arbiter.signal('SIGTERM')
    expect(await arbiter.stopped()).toBe(0)
    expectNothingLeft(arbiter)
  })
})

test('TTIN and TTOU change the number of workers, down to one for each acceptor', async () => {
  const arbiter = await serve('ok', ['-w', '2'])
  const share = async (count: number) =>
    waitFor(`${count} workers`, async () =>
      (await ask(arbiter.port)).includes(` workers ${count} `),
    )
  arbiter.signal('SIGTTIN')
  await share(3)
  expect(arbiter.log()).toContain('SIGTTIN: changing to 3 workers\n')
  for (let times = 0; times < 4; times++) arbiter.signal('SIGTTOU')
  await share(1)
  expect(arbiter.log()).toMatch(/SIGTTOU: changing to 1 worker\n$/)
  // A replacement has as many as were asked for last.
  process.kill(arbiter.acceptors()[0]!.pid, 'SIGKILL')
  expect(await ask(arbiter.port)).toContain(' workers 1 ')
})

test('USR1 opens the log file anew, after it was moved away', async () => {
  const arbiter = await serve('ok')
  const moved = join(directory, 'log.1')
  renameSync(arbiter.logPath, moved)
  arbiter.signal('SIGUSR1')
  await arbiter.logged(/^.*SIGUSR1: reopened the log files\n$/)
  expect(readFileSync(moved, 'utf8')).toContain('Listening at')
})

// `npm test` builds first; without a build there is no arbiter to run as a process of its own.
const compiled = join(import.meta.dirname, '..', '..', 'dist', 'arbiter', 'arbiter.js')

test.skipIf(!existsSync(compiled))(
  'when the arbiter is killed, acceptors and workers leave by themselves',
  async () => {
    const arbiter = testArbiter()
    const settings = await arbiter.settings('ok', ['--acceptors', '2'])
    const script = `
    const { runArbiter } = await import(${JSON.stringify(compiled)})
    await runArbiter(${JSON.stringify(settings)}, { acceptorProgram: ${JSON.stringify(acceptorProgram)} })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: 'inherit',
    })
    await arbiter.serving()
    const pids = arbiter.acceptors().flatMap(({ pid, workers }) => [pid, ...workers])
    expect(pids).toHaveLength(4)
    expect(pids.every(isAlive)).toBe(true)
    child.kill('SIGKILL')
    await waitFor('every process to be gone', () => !pids.some(isAlive))
    arbiters.pop()
  },
)

/** A driver that is the test itself. */
class TestDriver implements ArbiterDriver {
  actions!: ArbiterActions
  log!: DriverLog
  ended = 0

  readonly events: string[] = []

  start(actions: ArbiterActions, log: DriverLog): void {
    this.actions = actions
    this.log = log
    const { acceptorStarted, acceptorReady, acceptorEnded, reload } = actions.events
    acceptorStarted.subscribe(() => this.events.push('started'))
    acceptorReady.subscribe(({ workers }) => this.events.push(`ready with ${workers}`))
    acceptorEnded.subscribe(({ pid, expected, reason }) =>
      this.events.push(`ended ${expected} ${reason.replace(String(pid), 'PID')}`),
    )
    reload.subscribe((event) =>
      this.events.push(event.phase === 'failed' ? `failed: ${event.reason}` : event.phase),
    )
  }

  end(): void {
    this.ended++
  }
}

describe('another driver than signals', () => {
  async function drive(app: string, args: readonly string[] = [], options: ArbiterOptions = {}) {
    const driver = new TestDriver()
    const arbiter = await testArbiter().run(app, args, { ...options, drivers: [driver] })
    // Ended by its driver, since signals mean nothing here.
    arbiter.end = async () => {
      driver.actions.stop('quick', 'the end of the test')
      await arbiter.stopped()
    }
    return { driver, arbiter }
  }

  test('reloads, scales, reopens the logs, asks for the status and stops', async () => {
    const { driver, arbiter } = await drive('hello:app', ['-w', '2'])
    expect(driver.actions.state).toBe('starting')
    expect(await driver.actions.reload('test')).toEqual({
      reloaded: false,
      reason: 'The server is still starting',
    })
    expect(driver.actions.scale(1, 'test')).toBeNull()
    driver.actions.events.serving.subscribe(() => {
      throw new TypeError('oops')
    })
    await arbiter.serving()
    await arbiter.logged(/A listener of serving failed: TypeError: oops.* \[MONO5901\]/)
    expect(driver.actions.state).toBe('serving')

    const [shown] = arbiter.acceptors()
    const before = await driver.actions.status()
    expect(before).toEqual({
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      pid: process.pid,
      state: 'serving',
      startedAt: expect.any(Number),
      generation: 1,
      application: 'hello:app',
      runtime: 'cpython',
      config: null,
      addresses: [`http://127.0.0.1:${arbiter.port}`],
      workers: 2,
      acceptors: [
        {
          pid: shown!.pid,
          state: 'serving',
          startedAt: expect.any(Number),
          workers: shown!.workers.map((pid) => ({ pid, state: 'serving', requests: 0 })),
        },
      ],
    })
    for (const { startedAt } of [before, ...before.acceptors])
      expect(Math.abs(Date.now() - startedAt)).toBeLessThan(60_000)
    expect(JSON.parse(JSON.stringify(before))).toEqual(before)

    expect(driver.actions.scale(1, 'test')).toBe(3)
    const reloading = driver.actions.reload('test')
    expect(driver.actions.state).toBe('reloading')
    expect(await reloading).toEqual({ reloaded: true })
    const after = await driver.actions.status()
    expect(after).toMatchObject({ state: 'serving', generation: 2, workers: 3 })
    expect(after.acceptors[0]?.workers).toHaveLength(3)

    renameSync(arbiter.logPath, `${arbiter.logPath}.1`)
    driver.actions.reopenLogs('test')
    await arbiter.logged(/^.*test: reopened the log files\n$/)
    driver.log.warning(fromElsewhere('from the driver'))
    await arbiter.logged(/\[WARNING\] from the driver\n/)

    driver.actions.stop('graceful', 'test')
    expect(driver.actions.state).toBe('stopping')
    expect(await driver.actions.reload('test')).toMatchObject({ reloaded: false })
    expect(await arbiter.stopped()).toBe(0)
    expect(driver.ended).toBe(1)
    expect(arbiter.log()).toContain('test: stopping; requests in progress have 30 s to finish')
    expect(driver.events).toEqual([
      'started',
      'ready with 2',
      'begun',
      'done',
      'ended true Acceptor PID exited with status 0',
    ])
    expectNothingLeft(arbiter)
  })

  test('drains, keeps the sockets open, and starts again with as many workers as wanted', async () => {
    const { driver, arbiter } = await drive('ok', ['-w', '2'])
    await arbiter.serving()
    const changes: unknown[] = []
    driver.actions.events.workersChanged.subscribe((change) => changes.push(change))
    const [before] = arbiter.acceptors()
    driver.actions.drain('test')
    expect(driver.actions.state).toBe('drained')
    driver.actions.drain('again')
    await waitFor('the acceptor to be gone', () => !isAlive(before!.pid))
    expect(driver.actions.scale(-1, 'test')).toBeNull()
    const waiting = ask(arbiter.port)
    expect(driver.actions.scaleTo(1, 'test')).toBe(1)
    expect(await waiting).toContain('workers 1 ')
    await waitFor('it to serve', () => driver.actions.state === 'serving')
    expect(driver.actions.scaleTo(3, 'test')).toBe(3)
    expect(changes).toEqual([
      { workers: 0, before: 2 },
      { workers: 1, before: 0 },
      { workers: 3, before: 1 },
    ])
  })

  test('a drain ends a reload; a reload that fails after it leaves the server drained', async () => {
    const hang = join(directory, 'hang')
    const broken = join(directory, 'broken')
    const { driver, arbiter } = await drive(`hangs-when:${hang} broken-when:${broken}`)
    await arbiter.serving()
    writeFileSync(hang, 'yes')
    const reload = driver.actions.reload('test')
    await arbiter.logged(/test: reloading/)
    driver.actions.drain('test')
    expect(await reload).toMatchObject({ reloaded: false })
    expect(driver.actions.state).toBe('drained')
    writeFileSync(broken, 'yes')
    expect(await driver.actions.reload('test')).toMatchObject({ reloaded: false })
    expect(driver.actions.state).toBe('drained')
    await arbiter.logged(/nothing serves until another one succeeds/)
    writeFileSync(broken, '')
    expect(await driver.actions.reload('test')).toEqual({ reloaded: true })
    expect(await ask(arbiter.port)).toContain('workers 1 ')
  })

  test('an upgrade whose command cannot be started is one line, and the server goes on', async () => {
    const command = { program: '/nonexistent/node', args: [], cwd: directory, env: {} }
    const { driver, arbiter } = await drive('ok', [], { command })
    expect(await driver.actions.upgrade('test')).toMatchObject({ upgraded: false })
    await arbiter.serving()
    const result = await driver.actions.upgrade('test')
    expect(result).toMatchObject({ upgraded: false, reason: expect.stringContaining('ENOENT') })
    await arbiter.logged(
      /\[ERROR\] Upgrade failed; this server goes on\. The new server could not be/,
    )
    expect(await ask(arbiter.port)).toContain('workers 1 ')
  })

  test('signals do nothing then', async () => {
    const { driver, arbiter } = await drive('ok')
    await arbiter.serving()
    for (const signal of ['SIGTERM', 'SIGHUP', 'SIGTTIN'] as const) arbiter.signal(signal)
    expect(await driver.actions.status()).toMatchObject({
      state: 'serving',
      generation: 1,
      workers: 1,
    })
  })

  test('a reload that fails says why, to all who asked for one meanwhile', async () => {
    let read = () => {}
    const readSettings = () =>
      new Promise<Settings>((_, reject) => {
        read = () => reject(new Error('no such setting'))
      })
    const { driver, arbiter } = await drive('ok', [], { readSettings })
    await arbiter.serving()
    const both = [driver.actions.reload('first'), driver.actions.reload('second')]
    await arbiter.logged(/second: abandoning the reload in progress.*second: reloading/s)
    read()
    const failed = { reloaded: false, reason: 'no such setting' }
    expect(await Promise.all(both)).toEqual([failed, failed])
    expect((await driver.actions.status()).generation).toBe(1)
    expect(driver.events).toEqual([
      'started',
      'ready with 1',
      'begun',
      'abandoned',
      'begun',
      'failed: no such setting',
    ])
  })

  test('hears that an acceptor was killed, and that another one took its place', async () => {
    const { driver, arbiter } = await drive('ok')
    await arbiter.serving()
    process.kill(arbiter.acceptors()[0]!.pid, 'SIGKILL')
    await waitFor('its replacement', () => driver.events.length === 5 || undefined)
    expect(driver.events.slice(0, 2)).toEqual(['started', 'ready with 1'])
    expect(driver.events.slice(2).sort()).toEqual([
      'ended false Acceptor PID was killed by SIGKILL',
      'ready with 1',
      'started',
    ])
  })

  test('the status says which acceptors stop, and which do not answer', async () => {
    const { driver, arbiter } = await drive('never-reports slow')
    await arbiter.serving()
    const client = new Client({ port: arbiter.port, host: '127.0.0.1' })
    await client.acceptor()
    driver.actions.stop('graceful', 'test')
    const { state, acceptors } = await driver.actions.status()
    expect(state).toBe('stopping')
    expect(acceptors).toMatchObject([{ state: 'stopping', workers: null }])
    client.socket.write('done')
    expect(await arbiter.stopped()).toBe(0)
  })

  test('one that cannot start keeps the server from starting, and is ended', async () => {
    const driver = new TestDriver()
    driver.start = () => {
      throw new Error('the path of the control socket is taken')
    }
    const arbiter = testArbiter()
    arbiter.end = async () => {}
    await arbiter.run('ok', [], { drivers: [driver] })
    await expect(arbiter.status).rejects.toThrow('is taken')
    expect(driver.ended).toBe(1)
    expect(arbiter.log()).not.toContain('Listening')
    expectNothingLeft(arbiter)
  })
})
