/**
 * The worker that runs Python: Pyodide with the server's own gateway (python/monoceros), as it is
 * in the package. Its files are beside this script.
 */
import './engine/node-buffer.ts'
import type { PyodideAPI } from 'pyodide'
import { makeEnviron } from '../../src/wsgi/environ.ts'
import { plainAnswer, type ReadRequest, readRequest } from './engine/read-request.ts'
import { readResponse } from './engine/read-response.ts'
import { shutNetwork } from './engine/shut-network.ts'
import type {
  Exchange,
  FromWorker,
  LogEntry,
  Response as PageResponse,
  Run,
  RunResult,
  ToWorker,
} from './protocol.ts'

/** What `monoceros_pyodide.page` has. */
interface Page {
  settle(): void
  load(kind: string, main: string, files: string): string | undefined
  ask(variables: string, body: Uint8Array): ProxyOf<[string, ProxyBytes, string]>
  serve(request: Uint8Array): ProxyOf<[ProxyBytes, string]>
  take_log(): string
}

interface ProxyBytes {
  toJs(): Uint8Array
}

interface ProxyOf<T> {
  toJs(): { [K in keyof T]: T[K] extends ProxyBytes ? Uint8Array : T[K] }
  destroy(): void
}

const scope = globalThis as unknown as {
  postMessage(message: FromWorker): void
  onmessage: (event: { data: ToWorker }) => void
}
// Kept: the global one is taken away.
const load = fetch.bind(globalThis)
const folder = new URL('./python/', import.meta.url)
const begun = performance.now()

let loaded = ''
const starting = start()
starting.then(
  ({ pyodide }) =>
    scope.postMessage({
      type: 'ready',
      milliseconds: Math.round(performance.now() - begun),
      version: `Python ${pyodide.runPython('import sys; sys.version.split()[0]')}`,
    }),
  (error: unknown) => scope.postMessage({ type: 'broken', reason: String(error) }),
)

let queue: Promise<unknown> = Promise.resolve()
scope.onmessage = ({ data }) => {
  if (data.type !== 'run') return
  queue = queue.then(async () => {
    try {
      const { page, pyodide } = await starting
      const result = await run(page, pyodide, data.run)
      scope.postMessage({ type: 'result', id: data.id, result })
    } catch (error) {
      // The interpreter itself broke down, for example by a stack that is too deep.
      scope.postMessage({ type: 'broken', reason: reasonOf(error) })
    }
  })
}

async function start(): Promise<{ pyodide: PyodideAPI; page: Page }> {
  const { loadPyodide } = (await import(
    /* @vite-ignore */ new URL('pyodide.mjs', folder).href
  )) as typeof import('pyodide')
  const server = fetchJson<Record<string, string>>('server.json')
  const pyodide = await loadPyodide({ indexURL: folder.href })
  for (const name of ['monoceros', 'monoceros_pyodide']) pyodide.FS.mkdirTree(`${SERVER}/${name}`)
  for (const [name, text] of Object.entries(await server))
    pyodide.FS.writeFile(`${SERVER}/${name}`, text)
  pyodide.runPython(`import sys; sys.path.append('${SERVER}')`)
  const page = pyodide.pyimport('monoceros_pyodide.page') as unknown as Page
  page.settle()
  shutNetwork()
  return { pyodide, page }
}

const SERVER = '/lib/tutorial-server'

/** The wheels of other packages, which only some programs import. */
let packages: Promise<void> | null = null

function installPackages(pyodide: PyodideAPI): Promise<void> {
  packages ??= (async () => {
    for (const name of await fetchJson<string[]>('packages.json')) {
      const wheel = await (await fetchFile(name)).arrayBuffer()
      pyodide.unpackArchive(wheel, 'wheel', { extractDir: '/lib/tutorial-packages' })
    }
    pyodide.runPython(
      `import importlib; sys.path.append('/lib/tutorial-packages'); importlib.invalidate_caches()`,
    )
  })()
  return packages
}

async function fetchJson<T>(name: string): Promise<T> {
  return (await (await fetchFile(name)).json()) as T
}

async function fetchFile(name: string): Promise<Response> {
  const response = await load(new URL(name, folder))
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`)
  return response
}

async function run(page: Page, pyodide: PyodideAPI, given: Run): Promise<RunResult> {
  if (Object.values(given.files).some((text) => /\b(werkzeug|markupsafe)\b/.test(text)))
    await installPackages(pyodide)
  let loading: LogEntry[] = []
  if (given.fresh || loaded !== given.key) {
    loaded = ''
    const failure = page.load(given.kind, given.main, JSON.stringify(given.files))
    loading = takeLog(page)
    if (failure !== undefined) return { failure, loading, exchanges: [] }
    loaded = given.key
  }
  const exchanges = given.requests.map((request) =>
    given.kind === 'server' ? serve(page, request) : ask(page, request, given.mount),
  )
  return { failure: null, loading, exchanges }
}

function ask(page: Page, bytes: Uint8Array, mount = ''): Exchange {
  const request = readRequest(bytes)
  if ('reason' in request) {
    const log: LogEntry[] = [{ from: 'server', text: `${request.reason}\n` }]
    return { environ: null, response: plainAnswer(request.status), log }
  }
  const proxy = page.ask(JSON.stringify(variablesOf(request, mount)), request.body)
  const [head, body, environ] = proxy.toJs()
  proxy.destroy()
  const { status, headers, complete, failed } = JSON.parse(head) as {
    status: string | null
    headers: [string, string][]
    complete: boolean
    failed?: true
  }
  let response: PageResponse | null = null
  if (failed === true) response = plainAnswer(500)
  else if (status !== null) response = { status, headers, body, complete }
  return { environ: JSON.parse(environ), response, log: takeLog(page) }
}

function serve(page: Page, bytes: Uint8Array): Exchange {
  const proxy = page.serve(bytes)
  const [sent, environ] = proxy.toJs()
  proxy.destroy()
  return { environ: JSON.parse(environ), response: readResponse(sent), log: takeLog(page) }
}

/** The variables that the acceptor sends to a worker: those that have a text. */
function variablesOf(request: ReadRequest, mount: string): Record<string, string> {
  const environ = makeEnviron({
    method: request.method,
    mount,
    target: request.target,
    protocol: request.protocol,
    headers: request.headers,
    serverName: '127.0.0.1',
    serverPort: 8000,
    remoteAddress: '127.0.0.1',
    remotePort: 50000,
    serverSoftware: 'monoceros',
  })
  return Object.fromEntries(
    Object.entries(environ).filter((entry): entry is [string, string] => {
      return typeof entry[1] === 'string'
    }),
  )
}

function takeLog(page: Page): LogEntry[] {
  const entries = JSON.parse(page.take_log()) as [LogEntry['from'], string][]
  return entries.map(([from, text]) => ({ from, text }))
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return text.slice(0, 2000)
}
