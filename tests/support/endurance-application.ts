import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'
import { appsDirectory, temporaryDirectory } from './applications.ts'
import { childrenOf, commandLineOf } from './processes.ts'
import { type RunningServer, type ServerOptions, startServer } from './server.ts'

/** One line of what the application has recorded. */
export interface Event {
  what: 'begin' | 'done' | 'close'
  id: string
  pid: number
}

/** A server of tests/apps/endurance.py. */
export interface EnduranceServer extends RunningServer {
  /** The directory of the application's files. */
  data: string
  /** What the application has recorded, in that order. */
  events(): Event[]
  /** The pid of the (only) acceptor. */
  acceptor(): number
  /** What is in the server's temporary directory, which it has for itself. */
  temporaryFiles(): string[]
}

const fileDirectories: { remove: () => void }[] = []

afterAll(() => {
  for (const directory of fileDirectories.splice(0)) directory.remove()
})

/**
 * Starts tests/apps/endurance.py on our command, with a temporary directory of its own and its log
 * in a file.
 */
export async function startEndurance(
  args: string[] = [],
  options: {
    start?: (options: ServerOptions) => Promise<RunningServer>
    env?: Record<string, string>
  } = {},
): Promise<EnduranceServer> {
  const directory = temporaryDirectory()
  try {
    onTestFinished(directory.remove)
  } catch {
    fileDirectories.push(directory)
  }
  const temporary = join(directory.path, 'tmp')
  mkdirSync(temporary)
  const server = await (options.start ?? startServer)({
    app: 'endurance:app',
    args,
    cwd: appsDirectory,
    env: { TEST_DATA: directory.path, TMPDIR: temporary, ...options.env },
  })
  const path = join(directory.path, 'record')
  const own: Omit<EnduranceServer, keyof RunningServer> = {
    data: directory.path,
    events: () =>
      existsSync(path) ? readFileSync(path, 'ascii').trim().split('\n').map(eventOf) : [],
    acceptor: () => {
      const found = childrenOf(server.pid).filter((pid) => commandLineOf(pid).includes('acceptor'))
      if (found.length !== 1 || found[0] === undefined)
        throw new Error(`${found.length} acceptors, not one`)
      return found[0]
    },
    temporaryFiles: () => readdirSync(temporary, { recursive: true, encoding: 'utf8' }),
  }
  return Object.assign(server, own)
}

function eventOf(line: string): Event {
  const match = /^(begin|done|close) (\S+) (\d+)( \d+)?$/.exec(line)
  if (!match) throw new Error(`not a line of the record: ${JSON.stringify(line)}`)
  return { what: match[1] as Event['what'], id: match[2] ?? '', pid: Number(match[3]) }
}
