import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, afterEach, onTestFinished } from 'vitest'
import { childrenOf, commandLineOf, descendantsOf, processesWithEnvironment } from './processes.ts'
import { waitFor, within } from './wait-for.ts'

/** How a process ended: one of the two is null. */
export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/**
 * A server under test, ours or another: started, answering, and sure to be gone when the test is
 * over.
 */
export interface RunningServer {
  /**
   * `http://127.0.0.1:PORT`; for a unix socket `http://localhost`, to be used with `socketPath`.
   */
  url: string
  host: string
  port: number
  /** The path of its unix socket, when it was bound to one. */
  socketPath: string | undefined
  /** Its (first) address uses TLS. */
  secure: boolean
  /** Every address it said it listens at, as printed. */
  addresses: string[]
  /** The pid of the process that was started (the arbiter, gunicorn's master). */
  pid: number
  /** All it has written to stdout and stderr so far. */
  log(): string
  stdout(): string
  stderr(): string
  /**
   * Resolves with the match as soon as the log matches; `from` skips what was written before (a
   * length of `log()`).
   */
  waitForLog(
    pattern: RegExp,
    options?: { timeout?: number; from?: number },
  ): Promise<RegExpExecArray>
  /** Sends a signal to the started process. */
  signal(signal: NodeJS.Signals): void
  /** Resolves when the started process has ended. */
  exited: Promise<Exit>
  /** The pids of the processes that run the application. */
  workers(): number[]
  /**
   * TERM, then KILL after 15 s; verifies that every process it started is gone. Safe to call twice.
   */
  stop(): Promise<Exit>
}

/** What to run, and how to know that it is up. */
export interface ServerCommand {
  command: string
  args: string[]
  /** The whole environment, not additions. */
  env: NodeJS.ProcessEnv
  cwd: string | undefined
  /** Finds the addresses in what was printed; matched again and again until `ready` says so. */
  findAddresses(log: string): string[]
  isReady(log: string): boolean
  /** Its children may miss a TERM: `stop` sends it to them again. */
  missesTerm?: boolean
  /** Picks the processes that run the application, by their command line. */
  isWorker(commandLine: string): boolean
}

/** Marks what a server starts, so that strays are found even when their parent is gone. */
const marker = 'MONOCEROS_TEST_SERVER'

/** From one TERM to the next, for children that may miss it. */
const TERM_AGAIN_MS = 3000

const servers = new Set<RunningServer>()
const fileServers = new Set<RunningServer>()

afterEach((context) => {
  if (context.task.result?.state !== 'fail') return
  for (const server of servers)
    console.error(`--- the log of server ${server.pid}\n${server.log()}\n---`)
})

afterAll(async () => {
  for (const server of [...fileServers]) await server.stop()
})

process.on('exit', () => {
  for (const server of servers) killTree(server.pid, [])
})

/**
 * Starts a server and resolves when it answers connections; rejects, with its log, when it ends
 * before that. It is stopped at the end of the test, or of the file when it was started in a
 * `beforeAll`.
 */
export async function runServer(command: ServerCommand): Promise<RunningServer> {
  const id = randomUUID()
  const child = spawn(command.command, command.args, {
    cwd: command.cwd,
    env: { ...command.env, [marker]: id },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = collectOutput(child)
  const exited = exitOf(child)
  const pid = child.pid
  if (pid === undefined) {
    await exited
    throw new Error(`${command.command} could not be started`)
  }

  let stopped: Promise<Exit> | undefined
  const server: RunningServer = {
    url: '',
    host: '',
    port: 0,
    socketPath: undefined,
    secure: false,
    addresses: [],
    pid,
    log: () => output.all,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    waitForLog: (pattern, { timeout = 25_000, from = 0 } = {}) =>
      waitFor(`${pattern} in the log`, () => pattern.exec(output.all.slice(from)), timeout),
    signal: (signal) => {
      child.kill(signal)
    },
    exited,
    workers: () => descendantsOf(pid).filter((worker) => command.isWorker(commandLineOf(worker))),
    stop: () => {
      stopped ??= stopServer(child, exited, id, server, command.missesTerm)
      return stopped
    },
  }
  servers.add(server)
  try {
    onTestFinished(async () => {
      // A stop of the test's own has had its say already.
      if (!stopped) await server.stop()
    })
  } catch {
    // Not inside a test: a server for the whole file.
    fileServers.add(server)
  }

  const early = exited.then((exit) => {
    throw new Error(
      `the server ended (${describeExit(exit)}) before it was up. Its log:\n${output.all}`,
    )
  })
  early.catch(() => {})
  try {
    await Promise.race([
      early,
      waitFor('the server to be up', () => command.isReady(output.all), 60_000),
    ])
    server.addresses = command.findAddresses(output.all)
    Object.assign(server, parseAddress(server.addresses[0] ?? ''))
    await Promise.race([early, waitFor('the server to accept', () => accepts(server), 10_000)])
  } catch (error) {
    await server.stop().catch(() => {})
    if (error instanceof Error && !error.message.includes('Its log:')) {
      error.message += `. Its log:\n${output.all}`
    }
    throw error
  }
  return server
}

/** Runs a command to its end. `timeout` (milliseconds) is a failure, not a result. */
export async function runToEnd(
  command: string,
  args: string[],
  options: { env: NodeJS.ProcessEnv; cwd?: string | undefined; timeout?: number },
): Promise<Exit & { stdout: string; stderr: string }> {
  const id = randomUUID()
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...options.env, [marker]: id },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = collectOutput(child)
  const exited = exitOf(child)
  try {
    const exit = await within(`${args.join(' ')} to end`, options.timeout ?? 120_000, exited)
    await expectNoStrays(id)
    return { ...exit, stdout: output.stdout, stderr: output.stderr }
  } catch (error) {
    killTree(child.pid ?? 0, processesWithEnvironment(marker, id))
    if (error instanceof Error) error.message += `. Its output:\n${output.all}`
    throw error
  }
}

async function stopServer(
  child: ChildProcess,
  exited: Promise<Exit>,
  id: string,
  server: RunningServer,
  missesTerm = false,
): Promise<Exit> {
  const again = setInterval(() => {
    if (missesTerm) for (const pid of childrenOf(server.pid)) kill(pid, 'SIGTERM')
  }, TERM_AGAIN_MS)
  try {
    child.kill('SIGTERM')
    const exit = await within('the server to stop after TERM', 25_000, exited)
    await expectNoStrays(id)
    return exit
  } catch (error) {
    killTree(child.pid ?? 0, processesWithEnvironment(marker, id))
    throw error
  } finally {
    clearInterval(again)
    servers.delete(server)
    fileServers.delete(server)
  }
}

async function expectNoStrays(id: string): Promise<void> {
  // A server that was killed by the test leaves children that first have to notice.
  await waitFor(
    'no process to be left behind',
    () => processesWithEnvironment(marker, id).length === 0,
    25_000,
  ).catch((error: Error) => {
    const strays = processesWithEnvironment(marker, id).map((pid) => `${pid} ${commandLineOf(pid)}`)
    throw new Error(`${error.message}; left: ${strays.join(', ')}`)
  })
}

function killTree(root: number, strays: number[]): void {
  if (!root) return
  for (const pid of new Set([root, ...descendantsOf(root), ...strays])) {
    // The root may be a pid that was reaped and given away; only what is still ours is in the tree
    // or among the strays.
    if (pid === root && !strays.includes(root) && !isOurs(root)) continue
    kill(pid, 'SIGKILL')
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone by itself.
  }
}

function isOurs(pid: number): boolean {
  return descendantsOf(process.pid).includes(pid)
}

function collectOutput(child: ChildProcess): { all: string; stdout: string; stderr: string } {
  const output = { all: '', stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output.all += text
      output[name] += text
    })
  }
  return output
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    // 'exit', not 'close': a stray that keeps the pipes open must not keep the answer back.
    let exit: Exit = { code: null, signal: null }
    const finish = () => resolve(exit)
    child.once('error', finish)
    child.once('exit', (code, signal) => {
      exit = { code, signal }
      const timer = setTimeout(finish, 500)
      child.once('close', () => {
        clearTimeout(timer)
        finish()
      })
    })
  })
}

function describeExit({ code, signal }: Exit): string {
  return signal ? `by ${signal}` : `status ${code}`
}

function parseAddress(
  address: string,
): Pick<RunningServer, 'url' | 'host' | 'port' | 'socketPath' | 'secure'> {
  const unix = /^(tls:|https?\+)?unix:(?:\/\/)?(.+)$/.exec(address)
  if (unix) {
    const secure = unix[1] === 'tls:'
    const url = secure ? 'https://localhost' : 'http://localhost'
    return { url, host: 'localhost', port: 0, socketPath: unix[2], secure }
  }
  const { hostname, port, origin, protocol } = new URL(address)
  return {
    url: origin,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port),
    socketPath: undefined,
    secure: protocol === 'https:',
  }
}

function accepts(server: RunningServer): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = server.socketPath
      ? connect(server.socketPath)
      : connect(server.port, server.host)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
