import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'
import { appsDirectory, temporaryDirectory } from './applications.ts'
import { startGunicorn } from './gunicorn.ts'
import { type RunningServer, type ServerOptions, startServer } from './server.ts'
import { waitFor } from './wait-for.ts'

// MONOCEROS_TEST_AGAINST=gunicorn shows where gunicorn does the same.
const start = process.env.MONOCEROS_TEST_AGAINST === 'gunicorn' ? startGunicorn : startServer

const fileDirectories: { remove: () => void }[] = []

afterAll(() => {
  for (const directory of fileDirectories.splice(0)) directory.remove()
})

/**
 * A server of tests/apps/plain.py, with the files through which a test sees and steers its
 * requests.
 */
export interface PlainServer extends RunningServer {
  /** The directory of those files. */
  data: string
  /** Resolves with the pid of the worker when the request of that key has begun. */
  begun(key: string): Promise<number>
  /** How often the request of that key was begun. */
  timesBegun(key: string): number
  /** Lets the request of that key go on. */
  go(key: string): void
  /** How often close() of that key's response was called. */
  timesClosed(key: string): number
  /** Resolves when close() was called. */
  closed(key: string): Promise<void>
  /**
   * What `/generation` answers after the next (re)load; not a number: the module cannot be
   * imported.
   */
  setGeneration(value: number | string): void
}

/**
 * Starts tests/apps/plain.py on our command, or on another server. `args` are as in `startServer`.
 */
export async function startPlain(
  options: Partial<ServerOptions> = {},
  startOn: typeof startServer = start,
): Promise<PlainServer> {
  const directory = temporaryDirectory()
  try {
    onTestFinished(directory.remove)
  } catch {
    // Not inside a test: it lasts as long as the file.
    fileDirectories.push(directory)
  }
  const server = await startOn({
    app: 'plain:app',
    cwd: appsDirectory,
    ...options,
    env: { TEST_DATA: directory.path, ...options.env },
  })
  const lines = (name: string): string[] => {
    const path = join(directory.path, name)
    return existsSync(path) ? readFileSync(path, 'ascii').trim().split('\n') : []
  }
  const plain: Omit<PlainServer, keyof RunningServer> = {
    data: directory.path,
    begun: async (key) =>
      Number(
        await waitFor(`request ${key} to begin`, () => Number(lines(`${key}.begun`).at(-1) ?? 0)),
      ),
    timesBegun: (key) => lines(`${key}.begun`).length,
    go: (key) => writeFileSync(join(directory.path, `${key}.go`), ''),
    timesClosed: (key) => lines(`${key}.closed`).length,
    closed: async (key) => {
      await waitFor(`close() of ${key}`, () => existsSync(join(directory.path, `${key}.closed`)))
    },
    setGeneration: (value) => writeFileSync(join(directory.path, 'generation'), String(value)),
  }
  return Object.assign(server, plain)
}

/** The bytes of a GET request; `headers` are whole lines without their ends. */
export function get(target: string, ...headers: string[]): string {
  return [
    'GET ',
    target,
    ' HTTP/1.1\r\nHost: test\r\n',
    ...headers.map((line) => `${line}\r\n`),
    '\r\n',
  ].join('')
}

/** The bytes of a POST request with its Content-Length. */
export function post(target: string, body: Buffer | string, ...headers: string[]): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : body
  const head = [
    `POST ${target} HTTP/1.1`,
    'Host: test',
    `Content-Length: ${bytes.length}`,
    ...headers,
    '\r\n',
  ].join('\r\n')
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes])
}
