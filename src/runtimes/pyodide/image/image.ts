import { pyodideFile, standardLibrary } from '../package.ts'
import { cacheFolder } from './cache-folder.ts'
import { compileModule } from './compiled-module.ts'
import { SnapshotCache } from './snapshot-cache.ts'
import { CacheError, type ResizableBuffer } from './snapshot-file.ts'
import { snapshotKey } from './snapshot-key.ts'
import { makeSnapshot } from './snapshot-maker.ts'

/**
 * What every embedded interpreter of this process starts from. It can be passed to worker threads
 * in `workerData`, which share it and do not copy it.
 */
export interface InterpreterImage {
  /** `pyodide.asm.wasm`, compiled once. */
  readonly module: WebAssembly.Module
  /** The path of the standard library's archive. */
  readonly stdlib: string
  /**
   * The memory of a started interpreter (Pyodide's `_loadSnapshot`): a start from it takes a
   * quarter of the time. Null if there is none.
   */
  readonly snapshot: SnapshotPlace | null
}

/**
 * Where a snapshot is. Each interpreter reads it and releases it, because nobody needs its 31 MB
 * until the next start.
 */
export interface SnapshotPlace {
  readonly folder: string
  readonly key: string
}

/**
 * The result of {@link keepSnapshot}. `present`: there was one. `made`: it was made. `elsewhere`:
 * another process is making it. `memory`: there is too little memory to make it now. `off`: there
 * is no cache folder. `failed`: the reason is for the log at debug level.
 */
export type SnapshotOutcome =
  | { readonly kind: 'present' | 'made' | 'elsewhere' | 'memory' | 'off' }
  | { readonly kind: 'failed'; readonly reason: string }

/** The memory that an interpreter needs to make a snapshot, generously, in bytes. */
const MAKER_MEMORY = 400 * 1024 * 1024

interface ImageStart {
  readonly module: WebAssembly.Module
  readonly stdlib: string
  readonly cache: SnapshotCache | null
  readonly key: string
}

let started: Promise<ImageStart> | undefined
let refused = false
let keeping: Promise<SnapshotOutcome> | undefined

/**
 * What to start the next interpreter from. However often this is called, the module is compiled
 * once per process. A snapshot that {@link keepSnapshot} or another process has made since the
 * last call is in the result.
 *
 * @param environment provides `MONOCEROS_CACHE`, `XDG_CACHE_HOME` and `HOME` at the first call
 * @throws Error if Pyodide's files cannot be read
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
 * Makes the snapshot for later starts, unless there is one, in a thread of its own and at the
 * lowest priority. It takes about two seconds of processor time. Call it when the first worker
 * serves. It never rejects.
 */
export function keepSnapshot(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<SnapshotOutcome> {
  keeping ??= keep(environment)
  return keeping
}

/**
 * Call it when an interpreter could not be started from an image's snapshot: this process uses none
 * any more, and the file is removed.
 */
export async function discardSnapshot(): Promise<void> {
  refused = true
  const { cache, key } = await (started ?? Promise.resolve({ cache: null, key: '' }))
  await cache?.remove(key).catch(() => {})
}

/**
 * Whether an interpreter with this `os.environ` can start from a snapshot. Python reads most of its
 * variables only when it starts from the beginning; the others are applied by `wake()` in
 * python/monoceros_pyodide/wake.py.
 */
export function snapshotFits(environment: Readonly<Record<string, string>>): boolean {
  return Object.keys(environment).every(
    (name) => !name.startsWith('PYTHON') || APPLIED_LATER.has(name),
  )
}

const APPLIED_LATER = new Set([
  'PYTHONDONTWRITEBYTECODE',
  'PYTHONINSPECT',
  'PYTHONPATH',
  'PYTHONUNBUFFERED',
  // These concern another interpreter than the embedded one.
  'PYTHONHOME',
  'PYTHONEXECUTABLE',
  'PYTHONSTARTUP',
])

/**
 * Reads an image's snapshot into memory that `releaseSnapshot` releases. Null if the file has been
 * removed since, or is damaged; then it is removed.
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

async function start(environment: NodeJS.ProcessEnv): Promise<ImageStart> {
  const folder = cacheFolder(environment)
  const cache = folder === null ? null : new SnapshotCache(folder)
  const [module, key] = await Promise.all([
    compileModule(pyodideFile('pyodide.asm.wasm')),
    cache === null ? '' : snapshotKey(standardLibrary),
  ])
  return { module, stdlib: standardLibrary, cache, key }
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

async function keep(environment: NodeJS.ProcessEnv): Promise<SnapshotOutcome> {
  try {
    const image = await loadImage(environment)
    const { cache, key } = await (started as Promise<ImageStart>)
    if (cache === null || refused) return { kind: 'off' }
    if (image.snapshot !== null) return { kind: 'present' }
    if (process.availableMemory() < MAKER_MEMORY) return { kind: 'memory' }
    const claim = await cache.claim(key)
    if (claim === null) return { kind: 'elsewhere' }
    try {
      // Another process may have made it since. A file that must not be used is removed, because
      // the new one takes its place.
      const since = await cache.has(key).catch(() => cache.remove(key))
      if (since) return { kind: 'present' }
      await claim.write(await makeSnapshot({ module: image.module, stdlib: image.stdlib }))
    } finally {
      await claim.release()
    }
    return { kind: 'made' }
  } catch (error) {
    return { kind: 'failed', reason: (error as Error).message }
  }
}
