/**
 * The worker that runs TypeScript: its types are removed as Node.js removes them (SWC), its modules
 * are linked as blobs, and its application is called through `monoceros/fetch`.
 */
import './engine/node-buffer.ts'
import initStripping, { transformSync } from '@swc/wasm-typescript-esm'
import { isApplication } from '../../src/wsgi/application.ts'
import type { WSGIApplication } from '../../src/wsgi/types.ts'
import { readResponse } from './engine/read-response.ts'
import { shutNetwork } from './engine/shut-network.ts'
import type { Exchange, FromWorker, LogEntry, Run, RunResult, ToWorker } from './protocol.ts'
import { LinkError, linkModules, type PageModules, type Sources } from './typescript/link.ts'
import { log, takeConsole } from './typescript/log.ts'
import * as pageModule from './typescript/page-module.ts'
import { connect, events, listen, net, whenListening } from './typescript/page-network.ts'
import { answerRequest, takeEnviron, watched } from './typescript/serve-application.ts'
import { errorText, forgetUrls } from './typescript/stacks.ts'

const scope = globalThis as unknown as {
  postMessage(message: FromWorker): void
  onmessage: (event: { data: ToWorker }) => void
  onerror: (event: unknown) => boolean
  onunhandledrejection: (event: { reason: unknown; preventDefault(): void }) => void
}
const begun = performance.now()
const WATCH = '__tutorialWatch'

const { answerPythonWith, ...monoceros } = pageModule
const modules: PageModules = {
  monoceros,
  'monoceros/fetch': monoceros,
  'node:net': net,
  'node:events': events,
}

takeConsole()
Object.assign(globalThis, { [WATCH]: watched })
scope.onunhandledrejection = (event) => {
  event.preventDefault()
  log.add('stderr', `${errorText(event.reason)}\n`)
}

const starting = initStripping({ module_or_path: new URL('typescript.wasm', import.meta.url) })
starting.then(
  () => {
    shutNetwork()
    scope.postMessage({
      type: 'ready',
      milliseconds: Math.round(performance.now() - begun),
      version: 'TypeScript',
    })
  },
  (error: unknown) => scope.postMessage({ type: 'broken', reason: String(error) }),
)

let loaded = ''
let application: WSGIApplication | null = null
let files: Readonly<Record<string, string>> = {}
let queue: Promise<unknown> = Promise.resolve()

scope.onmessage = ({ data }) => {
  if (data.type === 'answer') {
    waiting.get(data.call)?.(data.result)
    waiting.delete(data.call)
    return
  }
  queue = queue.then(async () => {
    await starting
    let result: RunResult
    try {
      result = await run(data.run)
    } catch (error) {
      result = { failure: errorText(error), loading: log.take(), exchanges: [] }
    }
    scope.postMessage({ type: 'result', id: data.id, result })
  })
}

async function run(given: Run): Promise<RunResult> {
  let loading: LogEntry[] = []
  if (given.fresh || loaded !== given.key) {
    loaded = ''
    log.take() // what the program before has written since its answer
    const failure = await load(given)
    loading = log.take()
    if (failure !== null) return { failure, loading, exchanges: [] }
    loaded = given.key
  }
  const exchanges: Exchange[] = []
  for (const request of given.requests) {
    const exchange =
      given.kind === 'server' ? await serve(request) : await answerRequest(application!, request)
    // Browsers look for rejected promises that nobody awaits at the end of a turn, and tell of them
    // in another one.
    await turn()
    await turn()
    exchanges.push({ ...exchange, log: [...exchange.log, ...log.take()] })
  }
  return { failure: null, loading, exchanges }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve))
}

/** Returns why it cannot be loaded, or null. */
async function load({ kind, main, files: given }: Run): Promise<string | null> {
  application = null
  listen(null)
  forgetUrls()
  files = given
  const sources = new Map<string, string>()
  for (const [name, text] of Object.entries(given)) {
    if (!name.endsWith('.ts')) continue
    const stripped = strip(name, text)
    if ('failure' in stripped) return stripped.failure
    sources.set(name, stripped.code)
  }
  try {
    const named: Sources = Object.fromEntries(sources)
    const url = linkModules(named, main, modules, kind === 'server' ? watchedApp : undefined)
    const importing: Promise<Record<string, unknown>> = import(/* @vite-ignore */ url)
    if (kind === 'server') {
      // A server that waits for its end at the top level is never imported to its end.
      await Promise.race([importing, whenListening()])
      importing.catch((error: unknown) => log.add('stderr', `${errorText(error)}\n`))
      return null
    }
    const module = await importing
    const { app } = module
    if (app === undefined) return `${main} exports no app; write: export const app = …`
    if (!isApplication(app)) return `${main}: app is no WSGI application`
    application = app
    return null
  } catch (error) {
    if (error instanceof LinkError) return error.message
    return `${main} could not be loaded\n${missingExport(error) ?? errorText(error)}`
  }
}

/** An application that a server imports is watched where it is imported. */
function watchedApp(name: string, url: string): string | null {
  if (name !== 'append.ts' && name !== 'hello.ts') return null
  return [
    `import { app as original } from '${url}'`,
    `export * from '${url}'`,
    `export const app = globalThis.${WATCH}(original)`,
  ].join('\n')
}

function strip(name: string, text: string): { code: string } | { failure: string } {
  try {
    return { code: transformSync(text, { mode: 'strip-only', filename: name, module: true }).code }
  } catch (error) {
    return { failure: `${name} could not be read\n${syntaxError(error)}` }
  }
}

function syntaxError(error: unknown): string {
  if (typeof error === 'object' && error !== null) {
    const { message, snippet, startLine } = error as Record<string, unknown>
    const where = typeof startLine === 'number' ? `line ${startLine}: ` : ''
    const code = typeof snippet === 'string' ? `\n${snippet}` : ''
    return `SyntaxError: ${where}${String(message)}${code}`
  }
  return String(error)
}

/** A name that the page's `monoceros` does not have. */
function missingExport(error: unknown): string | null {
  const name = /export named '(\w+)'/.exec(String(error))?.[1]
  if (name === undefined) return null
  return (
    `SyntaxError: nothing exports '${name}'. ` +
    "(In the page, 'monoceros' has what works without Node.js.)"
  )
}

async function serve(request: Uint8Array): Promise<Exchange> {
  takeEnviron()
  const connection = connect(request)
  if (connection === null) {
    log.add('server', 'Connection refused: the program does not listen\n')
    return { environ: null, response: null, log: log.take() }
  }
  const sent = await connection.received()
  return { environ: takeEnviron(), response: readResponse(sent), log: log.take() }
}

// pythonApp: the page asks its Python, which has the Python files of the step.
const waiting = new Map<number, (result: RunResult | string) => void>()
let calls = 0
answerPythonWith(async (module, mount, request) => {
  calls += 1
  const call = calls
  const result = await new Promise<RunResult | string>((resolve) => {
    waiting.set(call, resolve)
    const python = Object.fromEntries(
      Object.entries(files).filter(([name]) => name.endsWith('.py')),
    )
    scope.postMessage({
      type: 'python',
      call,
      run: {
        key: `pythonApp ${module} ${JSON.stringify(python)}`,
        fresh: false,
        kind: 'application',
        files: python,
        main: `${module}.py`,
        mount,
        requests: [request],
      },
    })
  })
  if (typeof result === 'string') throw new Error(result)
  return result
})
