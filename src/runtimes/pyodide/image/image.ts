import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { version } from '../../../settings/version.ts'
import { pyodideFile, pyodideVersion, pythonFolder } from '../package.ts'
import {
  CacheError,
  cacheFolder,
  fill,
  type ResizableBuffer,
  SnapshotCache,
} from './snapshot-cache.ts'

/**
 * What every embedded interpreter of this process starts from. Structured-cloneable: it travels to
 * worker threads in `workerData`, and is shared with them, not copied.
 */
export interface InterpreterImage {
  /** `pyodide.asm.wasm`, compiled once. */
  readonly module: WebAssembly.Module
  /** The path of the standard library's archive. */
  readonly stdlib: string
  /**
   * The memory of a started interpreter (Pyodide's `_loadSnapshot`): a start from it takes a
   * quarter of the time. Null: there is none.
   */
  readonly snapshot: SnapshotPlace | null
}

/**
 * Where a snapshot lies. Who starts from it reads it and lets go of it: nobody needs 31 MB until
 * the next start.
 */
export interface SnapshotPlace {
  readonly folder: string
  readonly key: string
}

/** What a snapshot thread is started with. */
export interface SnapshotOrder {
  readonly module: WebAssembly.Module
  readonly stdlib: string
}

/** What a snapshot thread answers. */
export type SnapshotAnswer = { readonly snapshot: SharedArrayBuffer } | { readonly failure: string }

/**
 * What became of {@link keepSnapshot}: it was there already, was made, was left to another process
 * that is making it, or to a time with more memory; there is no place for it; or `failed`, for a
 * reason that the log at debug level may tell.
 */
export type SnapshotOutcome =
  | { readonly kind: 'present' | 'made' | 'elsewhere' | 'memory' | 'off' }
  | { readonly kind: 'failed'; readonly reason: string }

/** What an interpreter that makes a snapshot takes, with room to spare, in bytes. */
const MAKER_MEMORY = 400 * 1024 * 1024

/**
 * The archive that `scripts/build-stdlib.mjs` makes; three folders up from src/ and dist/ alike.
 */
const ownStdlib = fileURLToPath(new URL('../../../../dist/python_stdlib.zip', import.meta.url))

/** Raise it when snapshots of the same interpreter become different ones. */
const FORMAT = 2

interface Start {
  readonly module: WebAssembly.Module
  readonly stdlib: string
  readonly cache: SnapshotCache | null
  readonly key: string
}

let started: Promise<Start> | undefined
let refused = false
let keeping: Promise<SnapshotOutcome> | undefined

/**
 * What to start the next interpreter from. The module is compiled and the cache looked up once per
 * process, however often this is called; a snapshot that {@link keepSnapshot} or another process
 * has made since is in the next image.
 *
 * @param environment where `MONOCEROS_CACHE`, `XDG_CACHE_HOME` and `HOME` are looked up, at the
 * first call
 * @throws Error when Pyodide's files cannot be read
 */
export async function loadImage(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<InterpreterImage> {
  started ??= start(environment)
  const begun = started
  try {
    const { module, stdlib, cache, key } = await begun
    return { module, stdlib, snapshot: cache === null ? null : await snapshotIn(cache, key) }
  } catch (error) {
    if (started === begun) started = undefined
    throw error
  }
}

/**
 * Makes the snapshot that later starts begin with, unless there is one, in a thread of its own and
 * at the lowest priority: about two seconds of processor time. Call it when the first worker
 * serves. Never rejects.
 */
export function keepSnapshot(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<SnapshotOutcome> {
  keeping ??= keep(environment)
  return keeping
}

/**
 * To call when an interpreter could not be started from an image's snapshot: this process uses none
 * from now on, and the file is removed.
 */
export async function discardSnapshot(): Promise<void> {
  refused = true
  const { cache, key } = await (started ?? Promise.resolve({ cache: null, key: '' }))
  await cache?.remove(key).catch(() => {})
}

/**
 * False when an interpreter with this `os.environ` must start from the beginning: Python reads most
 * of its variables there and nowhere else. What `wake()` in python/monoceros_pyodide/wake.py can do
 * afterwards is no hindrance.
 */
export function snapshotFits(environment: Readonly<Record<string, string>>): boolean {
  return Object.keys(environment).every(
    (name) => !name.startsWith('PYTHON') || obeyedLater.has(name),
  )
}

const obeyedLater = new Set([
  'PYTHONDONTWRITEBYTECODE',
  'PYTHONINSPECT',
  'PYTHONPATH',
  'PYTHONUNBUFFERED',
  // They are about another interpreter than this one.
  'PYTHONHOME',
  'PYTHONEXECUTABLE',
  'PYTHONSTARTUP',
])

async function start(environment: NodeJS.ProcessEnv): Promise<Start> {
  const stdlib = existsSync(ownStdlib) ? ownStdlib : pyodideFile('python_stdlib.zip')
  const folder = cacheFolder(environment)
  const cache = folder === null ? null : new SnapshotCache(folder)
  const [module, key] = await Promise.all([
    compile(pyodideFile('pyodide.asm.wasm')),
    cache === null ? '' : directoryOf(stdlib).then(snapshotKey),
  ])
  return { module, stdlib, cache, key }
}

/**
 * V8 keeps a copy of its own, so ours is given back at once: an acceptor may not collect garbage
 * for a long time.
 */
async function compile(path: string): Promise<WebAssembly.Module> {
  const file = await open(path)
  try {
    const wasm = new Uint8Array((await file.stat()).size)
    await fill(file, wasm, 0)
    const module = await withTieringBudget(() => WebAssembly.compile(wasm))
    structuredClone(null, { transfer: [wasm.buffer] })
    return module
  } finally {
    await file.close()
  }
}

/**
 * How much of a function V8 executes, in bytes of WebAssembly, before it optimises it. With the
 * figure of Node 20's V8 a third of the processor time of a start goes into functions that are
 * hardly used again (docs/performance.md). It has 13,000,000 since Node 22, where this gains
 * nothing.
 */
const TIERING_BUDGET = 60_000_000
const TIERING_BUDGET_OF_NODE_20 = 1_800_000

/**
 * A module has the budget of the time when it was compiled. Others in this process, which may be
 * somebody else's, are to have theirs.
 */
async function withTieringBudget(
  compile: () => Promise<WebAssembly.Module>,
): Promise<WebAssembly.Module> {
  const chosen = process.execArgv.some((option) =>
    option.replaceAll('_', '-').startsWith('--wasm-tiering-budget'),
  )
  if (chosen || !process.versions.node.startsWith('20.')) return compile()
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`)
  try {
    return await compile()
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET_OF_NODE_20}`)
  }
}

async function snapshotIn(cache: SnapshotCache, key: string): Promise<SnapshotPlace | null> {
  if (refused) return null
  try {
    return (await cache.has(key)) ? { folder: cache.folder, key } : null
  } catch (error) {
    if (error instanceof CacheError) return null
    throw error
  }
}

/**
 * The memory that an image's snapshot has; {@link letGo} gives it back. Null when it has gone
 * since, or is damaged, and then it is removed.
 */
export async function readSnapshot({
  folder,
  key,
}: SnapshotPlace): Promise<Uint8Array<ResizableBuffer> | null> {
  const cache = new SnapshotCache(folder)
  try {
    return await cache.read(key)
  } catch (error) {
    if (!(error instanceof CacheError)) throw error
    await cache.remove(key).catch(() => {})
    return null
  }
}

async function keep(environment: NodeJS.ProcessEnv): Promise<SnapshotOutcome> {
  try {
    const image = await loadImage(environment)
    const { cache, key } = await (started as Promise<Start>)
    if (cache === null || refused) return { kind: 'off' }
    if (image.snapshot !== null) return { kind: 'present' }
    if (process.availableMemory() < MAKER_MEMORY) return { kind: 'memory' }
    const claim = await cache.claim(key)
    if (claim === null) return { kind: 'elsewhere' }
    try {
      // Somebody may have made it since; and what must not be used is in the way of what may be.
      const since = await cache.has(key).catch(() => cache.remove(key))
      if (since) return { kind: 'present' }
      const snapshot = await makeSnapshot({ module: image.module, stdlib: image.stdlib })
      await claim.write(snapshot)
    } finally {
      await claim.release()
    }
    return { kind: 'made' }
  } catch (error) {
    return { kind: 'failed', reason: (error as Error).message }
  }
}

/**
 * Starts an interpreter for nothing but its memory. Its environment is empty: no secret of ours
 * gets into the file.
 */
async function makeSnapshot(order: SnapshotOrder): Promise<SharedArrayBuffer> {
  const thread = new Worker(new URL('./snapshot-entry.js', import.meta.url), {
    workerData: order,
    name: 'monoceros snapshot',
    env: {},
    execArgv: [],
    stdout: true,
    stderr: true,
  })
  try {
    const answer = await new Promise<SnapshotAnswer>((resolve) => {
      thread.on('message', resolve)
      thread.on('error', (error) => resolve({ failure: error.message.slice(0, 500) }))
      thread.on('exit', (code) => resolve({ failure: `the thread ended with status ${code}` }))
      // A process that has nothing else to do may end; last, because who listens for messages keeps
      // it alive.
      thread.unref()
    })
    if ('failure' in answer) throw new Error(answer.failure)
    return answer.snapshot
  } finally {
    await thread.terminate()
  }
}

/**
 * The end of a zip archive, where its directory is: names, places and checksums of all there is in
 * it. It has 0.1 MB; the archive has 7.
 */
async function directoryOf(archive: string): Promise<Uint8Array> {
  const file = await open(archive)
  try {
    const { size } = await file.stat()
    const length = Math.min(size, 256 * 1024)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/** Everything that a snapshot depends on, digested: 64 hexadecimal digits. */
function snapshotKey(stdlib: Uint8Array): string {
  const hash = createHash('sha256')
  const add = (value: string | Uint8Array) => hash.update(`${value.length}:`).update(value)
  add(`${FORMAT} ${version} pyodide ${pyodideVersion}`)
  add(stdlib)
  // Python's idea of the time zone is fixed at its start.
  add(Intl.DateTimeFormat().resolvedOptions().timeZone)
  // Modules know where they come from.
  add(pythonFolder)
  // The gateway imports from both.
  for (const folder of ['monoceros', 'monoceros_pyodide']) {
    const modules = readdirSync(join(pythonFolder, folder)).filter((name) => name.endsWith('.py'))
    for (const name of modules.sort()) {
      add(join(folder, name))
      add(readFileSync(join(pythonFolder, folder, name)))
    }
  }
  return hash.digest('hex')
}
