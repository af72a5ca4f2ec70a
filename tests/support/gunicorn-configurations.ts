import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { splitShellWords } from '../../src/settings/shell-words.ts'
import { appsDirectory } from './applications.ts'
import { commandPath } from './build.ts'
import { sitePackages, testPython } from './python.ts'
import { RawConnection } from './raw-client.ts'
import { type RunningServer, runServer } from './running-server.ts'
import { waitFor } from './wait-for.ts'

/** Where the configurations are that Gunicorn and we are started with. */
export const configurationsFolder = join(appsDirectory, 'gunicorn-configs')

const NOT_CONFIGURATIONS = ['app.py', 'events.py']

/** The names of all of them. */
export const configurations = readdirSync(configurationsFolder).filter(
  (name) => /\.(py|args)$/.test(name) && !NOT_CONFIGURATIONS.includes(name),
)

/** What a configuration adds to the environment and to the arguments. */
export function partsOf(name: string): { env: Record<string, string>; args: string[] } {
  if (name.endsWith('.py')) return { env: {}, args: ['-c', name, 'app:app'] }
  const text = readFileSync(join(configurationsFolder, name), 'utf8').trim()
  const words = splitShellWords(text) ?? []
  const first = words.findIndex((word) => !/^[A-Z_]+=/.test(word))
  const variables = words.slice(0, first)
  const env = Object.fromEntries(variables.map((word) => word.split(/=(.*)/s).slice(0, 2)))
  return { env, args: words.slice(first) }
}

/** Other users can run it, which they cannot with the suite's own. */
export const PUBLIC_PYTHON = '/usr/bin/python3'

const commands = {
  gunicorn: (python: string) => [python, '-m', 'gunicorn', '--no-control-socket'],
  monoceros: (python: string) => [process.execPath, commandPath, '--python', python],
}

const LISTENS = /Listening at:? (\S+).*\n/g

/** What `app.py` of the configurations tells of itself and of a request. */
export interface Facts {
  readonly pid: number
  readonly 'imported by': number
  readonly shared: number
  readonly random: number
  readonly 'random at import': number
  readonly greeting: string
  readonly user: string
  readonly groups: readonly number[]
  readonly umask: string
  readonly folder: string
  readonly environ: Readonly<Record<string, string>>
  readonly flags: Readonly<Record<string, boolean>>
  readonly env: Readonly<Record<string, string>>
}

/** What a configuration is started with, beside what it says itself. */
export interface Additions {
  env?: (folder: string) => Record<string, string> | Promise<Record<string, string>>
  args?: (folder: string) => string[]
  /** What is in front of the path of each request. */
  root?: string
  /** Whether workers run as another user, who needs an interpreter that anybody may run. */
  otherUser?: boolean
  /** Arguments to leave out. */
  without?: string[]
  /** The file in its folder that says where it listens. */
  log?: string
  /** A unix socket in its folder, for one whose log does not say that it is up. */
  socket?: string
}

/** A server that runs one of the configurations, in a folder of its own. */
export class ConfiguredServer {
  readonly name: keyof typeof commands
  readonly folder: string
  readonly server: RunningServer
  readonly #root: string

  private constructor(
    name: keyof typeof commands,
    folder: string,
    server: RunningServer,
    root: string,
  ) {
    this.#root = root
    this.name = name
    this.folder = folder
    this.server = server
  }

  static async start(
    name: keyof typeof commands,
    configuration: string,
    {
      env = () => ({}),
      args = () => [],
      without = [],
      root = '',
      otherUser = false,
      log = '',
      socket,
    }: Additions,
  ): Promise<ConfiguredServer> {
    // Other users must be able to reach it, so it is not in the suite's own temporary folder.
    const parent = mkdtempSync('/tmp/monoceros-test-')
    onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
    chmodSync(parent, 0o755)
    const folder = join(parent, 'site')
    cpSync(configurationsFolder, folder, { recursive: true })
    // Hooks write to it as other users.
    writeFileSync(join(folder, 'events'), '')
    chmodSync(join(folder, 'events'), 0o666)
    const parts = partsOf(configuration)
    const given = parts.args.filter((arg) => !without.includes(arg))
    const python = otherUser ? PUBLIC_PYTHON : testPython().executable
    const [command, ...before] = commands[name](python)
    const text = (printed: string) =>
      log !== '' && existsSync(join(folder, log))
        ? readFileSync(join(folder, log), 'utf8')
        : printed
    const server = await runServer({
      command: command!,
      args: [...before, ...given.slice(0, -1), ...args(folder), given.at(-1)!],
      env: {
        PATH: process.env.PATH,
        LANG: 'C.UTF-8',
        PYTHONPATH: sitePackages(),
        PYTHONUNBUFFERED: '1',
        PYTHONDONTWRITEBYTECODE: '1',
        EVENTS: join(folder, 'events'),
        ...parts.env,
        ...(await env(folder)),
      },
      cwd: folder,
      findAddresses: (printed) =>
        socket === undefined
          ? [...text(printed).matchAll(LISTENS)].map((match) => match[1] ?? '')
          : [`unix:${join(folder, socket)}`],
      isReady: (printed) => socket !== undefined || text(printed).search(LISTENS) >= 0,
      isWorker: () => true,
      // A worker that has just been forked has the signal handlers of its parent.
      missesTerm: name === 'gunicorn',
    })
    return new ConfiguredServer(name, folder, server, root)
  }

  /** A file of its folder; empty if there is none. */
  read(file: string): string {
    try {
      return readFileSync(join(this.folder, file), 'utf8')
    } catch {
      return ''
    }
  }

  /** What the hooks have noted. */
  events(): string[] {
    return this.read('events').split('\n').slice(0, -1)
  }

  /** Requests a path, on a connection of its own. */
  async get(path: string, ...fields: string[]): Promise<{ status: number; text: string }> {
    const lines = [
      `GET ${this.#root}${path} HTTP/1.1`,
      'Host: shop.test',
      'Connection: close',
      ...fields,
    ]
    const connection = await RawConnection.open(this.server)
    try {
      return await connection.request(`${lines.join('\r\n')}\r\n\r\n`)
    } finally {
      // A worker of Gunicorn waits for up to two seconds until its client closes, too.
      connection.close()
    }
  }

  /** What the application tells. */
  async facts(path = '/facts', ...fields: string[]): Promise<Facts> {
    const { status, text } = await this.get(path, ...fields)
    if (status !== 200) throw new Error(`${path}: ${status} ${text}`)
    return JSON.parse(text)
  }

  /** What the application tells in each of so many workers, which answer at the same time. */
  async everyWorker(count: number): Promise<Facts[]> {
    const found = new Map<number, Facts>()
    await waitFor(`${count} workers`, async () => {
      const requests = Array.from({ length: 2 * count }, () => this.facts('/slow-facts?0.1'))
      for (const facts of await Promise.all(requests)) found.set(facts.pid, facts)
      return found.size >= count
    })
    return [...found.values()]
  }

  /** Waits until a fact is so; asks again and again. */
  async until(what: string, is: (facts: Facts) => boolean): Promise<Facts> {
    return await waitFor(`${what} (${this.name})`, async () => {
      // Gunicorn may reset a connection while it reloads.
      const facts = await this.facts().catch(() => null)
      return facts !== null && is(facts) ? facts : null
    })
  }

  /** The entries of the error log: level and text, with `N` for the numbers of processes. */
  entries(text = this.server.log()): string[] {
    return [...text.matchAll(/^\[[^\]]*\] \[\d+\] \[(\w+)\] (.*)$/gm)].map(
      ([, level, message]) => `${level} ${message!.replace(/\b(pid: )\d+/, '$1N')}`,
    )
  }
}
