/** The config host, seen from the command: a Python process that runs `gunicorn.conf.py`. */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { type LogLevel, levelOfPython } from '../logging/log-level.ts'
import { type Coded, CodedError, coded, fromElsewhere } from '../messages/coded.ts'
import { ownFile } from '../own-files/own-files.ts'
import { quoted, SettingsError } from '../settings/settings-error.ts'

/** What to run, and with which Python. */
export interface ConfigHostOptions {
  /** The interpreter's path, or a name on `PATH`. */
  readonly interpreter: string
  /** `PATH`, absolute or from `cwd`; or `python:MODULE`. */
  readonly location: string
  /** The names to read from it. Others are ignored. */
  readonly names: readonly string[]
  /** The working directory, which is also searched for modules. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Ends a process that was started for this if the file takes too long. */
  readonly signal?: AbortSignal | undefined
  /**
   * The configuration in force, for a reload: the new one runs in the same process. As with
   * Gunicorn, what its hooks have put there stays, such as threads.
   */
  readonly previous?: ConfigHost | null | undefined
}

/** What is in force, for the hooks of a host. */
export interface SettledConfiguration {
  /** The application's folder. */
  readonly directory: string
  /** `raw_env`. */
  readonly environ: Readonly<Record<string, string>>
  /** By Gunicorn's names, as the hooks see them in `server.cfg`. */
  readonly settings: Readonly<Record<string, unknown>>
}

/**
 * A Python configuration that has run. Its process stays, for its hooks, until {@link close} is
 * called on every configuration that has run there.
 */
export interface ConfigHost {
  /** The file's absolute path; `python:MODULE` if it is a module. */
  readonly location: string
  /**
   * The values of the names that it defines, as JSON. A value that JSON does not have is
   * `{ $python: 'function' | 'class' | 'object', text }`; the hooks are among these.
   */
  readonly values: Readonly<Record<string, unknown>>
  /** The line at which a name is assigned, if that is known. */
  readonly lines: Readonly<Record<string, number>>
  /** The hooks that it defines, wherever they run; none if it cannot call any. */
  readonly hooks: readonly string[]
  /** To be called before the first hook. */
  settle(configuration: SettledConfiguration): void
  /** From now on, what hooks log is written in this way. */
  logWith(write: (level: LogLevel, text: Coded) => void): void
  /** Passes on what has happened to a worker, for the objects that hooks get. */
  tell(news: object): void
  /**
   * Calls a hook in the host, one after the other.
   *
   * @throws ConfigHostError with the traceback if the hook raises, or if the process has ended
   */
  call(hook: string, args: object): Promise<void>
  /**
   * Lets the process leave, if no other configuration needs it. Resolves when it is gone. May be
   * called more than once.
   */
  close(): Promise<void>
  /** Ends the process at once, because a hook does not return. */
  kill(): void
  /** Nobody is there any more who could run a hook. */
  readonly isGone: boolean
}

/** A hook raised, or the process of the hooks has ended. `message` has the traceback. */
export class ConfigHostError extends CodedError {
  readonly code = 'config-hook'
}

/** How long it has to leave after the channel was closed, in milliseconds. */
const LEAVE_MS = 2000
/** On this signal, a host that runs a configuration stops that; it has ABANDON_MS for it. */
const ABANDON_SIGNAL = 'SIGUSR2'
const ABANDON_MS = 1000
/** No answer is longer: it has the values of one file. In characters. */
const LONGEST_ANSWER = 64 * 1024 * 1024

/**
 * Runs a configuration.
 *
 * @throws SettingsError `config-file` with the traceback if the file raises
 */
export async function startConfigHost(options: ConfigHostOptions): Promise<ConfigHost> {
  const { location, names, cwd, interpreter, previous } = options
  const before = previous instanceof HostedConfiguration ? previous.process : null
  const host = before?.serves(interpreter) ? before : new HostProcess(options)
  const release = host.use()
  try {
    const answer = await host.read({ read: location, names, cwd }, options.signal)
    return new HostedConfiguration(host, location, answer, release)
  } catch (error) {
    await release()
    if (!(error instanceof ConfigHostError)) throw error
    throw new SettingsError('config-file', error.message)
  }
}

/** What a configuration has: `answer_of` in python/monoceros/configuration_answer.py makes it. */
export interface ConfigurationAnswer {
  readonly error?: string
  readonly file?: string | null
  readonly values?: Record<string, unknown>
  readonly lines?: Record<string, number>
  readonly hooks?: Record<string, string>
}

interface Answer extends ConfigurationAnswer {
  /** The number of the configuration that was read. */
  readonly number?: number
  /** An entry of the log, which answers nothing. */
  readonly log?: { readonly level: number; readonly text: string }
}

/** The same in the form of a {@link ConfigHost}. */
export function contentsOf(
  { file, values = {}, lines = {}, hooks = {} }: ConfigurationAnswer,
  location: string,
): Pick<ConfigHost, 'location' | 'values' | 'lines'> {
  const isFile = typeof file === 'string' && !location.startsWith('python:')
  const functions = Object.entries(hooks).map(
    ([name, text]) => [name, { $python: 'function', text }] as const,
  )
  return {
    location: isFile ? file : location,
    values: { ...values, ...Object.fromEntries(functions) },
    lines,
  }
}

/** A line of the channel; null if it is not an answer of the host. */
function readAnswer(line: string): Answer | null {
  let answer: unknown
  try {
    answer = JSON.parse(line)
  } catch {
    return null
  }
  if (!isObject(answer)) return null
  const { log, error, number, values, lines, hooks } = answer
  const isRead = [values, lines, hooks].every(isObject) && typeof number === 'number'
  const isEntry = isObject(log) && typeof log.level === 'number' && typeof log.text === 'string'
  const isKnown = isEntry || typeof error === 'string' || isRead || Object.keys(answer).length === 0
  return isKnown ? (answer as Answer) : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** One configuration of a process. */
class HostedConfiguration implements ConfigHost {
  readonly process: HostProcess
  readonly location: string
  readonly values: Readonly<Record<string, unknown>>
  readonly lines: Readonly<Record<string, number>>
  readonly hooks: readonly string[]
  readonly #number: number
  readonly #release: () => Promise<void>

  constructor(
    process: HostProcess,
    location: string,
    answer: Answer,
    release: () => Promise<void>,
  ) {
    this.process = process
    const contents = contentsOf(answer, location)
    this.location = contents.location
    this.values = contents.values
    this.lines = contents.lines
    this.hooks = Object.keys(answer.hooks ?? {})
    this.#number = answer.number ?? 0
    this.#release = release
  }

  settle(configuration: SettledConfiguration): void {
    this.process.send({ settle: configuration, of: this.#number })
  }

  logWith(write: (level: LogLevel, text: Coded) => void): void {
    this.process.write = write
  }

  tell(news: object): void {
    this.process.send({ tell: news })
  }

  async call(hook: string, args: object): Promise<void> {
    await this.process.ask({ call: hook, args, of: this.#number })
  }

  async close(): Promise<void> {
    await this.#release()
  }

  kill(): void {
    this.process.kill()
  }

  get isGone(): boolean {
    return this.process.isGone
  }
}

/** The process, which may have run several configurations, one after the other. */
class HostProcess {
  /** Writes what hooks log. */
  write: (level: LogLevel, text: Coded) => void = () => {}
  readonly #location: string
  readonly #interpreter: string
  readonly #process: ChildProcess
  readonly #channel: Socket
  /** Who waits for an answer, the oldest first. */
  readonly #waiting: { resolve(answer: Answer): void; reject(error: Error): void }[] = []
  readonly #gone: Promise<void>
  /** The pieces of an answer whose end has not arrived, and their length. */
  #received: string[] = []
  #length = 0
  #ended: string | null = null
  /** How many configurations need it. */
  #users = 0

  constructor({ interpreter, location, cwd, env }: ConfigHostOptions) {
    this.#location = location
    this.#interpreter = interpreter
    // `location` is for `ps` only.
    const child = spawn(interpreter, [ownFile('python/monoceros-config'), location], {
      cwd,
      env: { ...env },
      stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
    })
    this.#process = child
    const { stdio = [] } = child // absent if descriptors have run out
    this.#channel = stdio[3] as Socket
    this.#gone = new Promise((resolve) => {
      const end = (how: string) => {
        this.#end(how)
        resolve()
      }
      child.on('exit', (status, by) =>
        end(by !== null ? `was killed by ${by}` : `ended with status ${status}`),
      )
      child.on('error', (error) => {
        if (child.pid === undefined) end(`could not be started: ${error.message}`)
      })
    })
    if (child.pid === undefined) return
    this.#channel.setEncoding('utf8')
    this.#channel.on('data', (text: string) => this.#receive(text))
    this.#channel.on('error', () => {}) // the end of the process says why
    // It must not keep the arbiter from ending.
    child.unref()
    this.#channel.unref()
  }

  /** Whether it can run another configuration with that interpreter. */
  serves(interpreter: string): boolean {
    return this.#ended === null && this.#interpreter === interpreter && this.#users > 0
  }

  /** One more configuration needs it. @returns a function to call when that is over */
  use(): () => Promise<void> {
    let used = true
    this.#users++
    return async () => {
      if (used) this.#users--
      used = false
      if (this.#users === 0) await this.#close()
    }
  }

  ask(message: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== null) {
        reject(this.#gonePrematurely())
        return
      }
      // While an answer is awaited, there is something to stay alive for.
      this.#channel.ref()
      this.#process.ref()
      this.#waiting.push({ resolve, reject })
      this.send(message)
    })
  }

  /** Runs a configuration. If that is not wanted any more, the process goes on without it. */
  async read(message: object, signal: AbortSignal | undefined): Promise<Answer> {
    const answer = this.ask(message)
    const waiting = this.#waiting.at(-1)
    const running = () => waiting !== undefined && this.#waiting[0] === waiting
    let late: NodeJS.Timeout | undefined
    const abandon = () => {
      if (!running()) return
      // A process that has run nothing else is of no use to anybody.
      this.#process.kill(this.#users === 1 ? 'SIGKILL' : ABANDON_SIGNAL)
      late = setTimeout(() => running() && this.kill(), ABANDON_MS)
    }
    signal?.addEventListener('abort', abandon, { once: true })
    if (signal?.aborted) abandon()
    try {
      return await answer
    } finally {
      clearTimeout(late)
      signal?.removeEventListener('abort', abandon)
    }
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  async #close(): Promise<void> {
    if (this.#ended !== null) return
    this.#process.ref()
    this.#channel?.destroy()
    const late = setTimeout(() => this.#process.kill('SIGKILL'), LEAVE_MS)
    await this.#gone
    clearTimeout(late)
  }

  send(message: object): void {
    if (this.#ended === null) this.#channel.write(`${JSON.stringify(message)}\n`)
  }

  #receive(text: string): void {
    if (this.#ended !== null) return
    const [first, ...more] = text.split('\n')
    this.#received.push(first!)
    this.#length += first!.length
    for (const next of more) {
      if (!this.#take(this.#received.join(''))) return
      this.#received = [next]
      this.#length = next.length
    }
    if (this.#length > LONGEST_ANSWER) this.#refuse('an answer has no end')
    else this.#rest()
  }

  /** @returns whether it was an answer */
  #take(line: string): boolean {
    const answer = readAnswer(line)
    const waiting = answer?.log === undefined ? this.#waiting[0] : null
    if (answer === null || waiting === undefined) {
      this.#refuse(answer === null ? `it sent ${quoted(line.slice(0, 100))}` : 'nobody had asked')
      return false
    }
    if (answer.log !== undefined) {
      this.write(levelOfPython(answer.log.level), fromElsewhere(answer.log.text))
      return true
    }
    this.#waiting.shift()
    if (answer.error === undefined) waiting?.resolve(answer)
    else waiting?.reject(new ConfigHostError(fromElsewhere(answer.error)))
    return true
  }

  /** Ends the process: somebody else than the host has written to its channel. */
  #refuse(problem: string): void {
    const how = `was killed, because something else was written to its descriptor 3: ${problem}`
    this.kill()
    this.#received = []
    this.#length = 0
    this.#end(how)
  }

  get isGone(): boolean {
    return this.#ended !== null
  }

  #end(how: string): void {
    if (this.#ended !== null) return
    this.#ended = how
    // Who waits for an answer says it.
    if (this.#users > 0 && this.#waiting.length === 0)
      this.write(
        'error',
        coded(
          'MONO1111',
          `The process that runs ${quoted(this.#location)} ${how}; ` +
            'no hook of the server is called any more until it is reloaded',
        ),
      )
    for (const { reject } of this.#waiting.splice(0)) reject(this.#gonePrematurely())
  }

  #rest(): void {
    if (this.#waiting.length > 0) return
    this.#channel.unref()
    this.#process.unref()
  }

  #gonePrematurely(): ConfigHostError {
    return new ConfigHostError(
      coded('MONO1111', `The process that runs ${quoted(this.#location)} ${this.#ended}`),
    )
  }
}
