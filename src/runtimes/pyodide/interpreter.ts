import { loadavg } from 'node:os'
import { loadPyodide, type PyodideAPI } from 'pyodide'
import { collectStack, takeConsole } from './failure.ts'
import { HostFiles } from './files/host-files.ts'
import { isWithin, type Mount } from './files/mounts.ts'
import { type InterpreterImage, readSnapshot } from './image/image.ts'
import { shareModule } from './image/shared-module.ts'
import { releaseSnapshot } from './image/snapshot-file.ts'
import { copySparsely } from './image/sparse-copy.ts'
import { readArchive } from './image/standard-library.ts'
import type { FileLocks } from './locks/file-locks.ts'
import { mebibytes } from './memory-limit.ts'
import { pyodideFolder, pythonFolder } from './package.ts'
import { hostAccounts, hostFacts } from './system/host-facts.ts'
import { pbkdf2, scrypt } from './system/key-derivation.ts'
import { LocalTime, type TimeVariables } from './system/local-time.ts'
import { sleepInsteadOfSpinning } from './system/sleep.ts'
import { withoutSharedLog } from './system/sqlite-log.ts'

/** What an interpreter is started with. It has the thread to itself. */
export interface InterpreterOptions {
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  /** What `os.environ` holds, beside a HOME and a LANG where it has none. */
  readonly environment: Readonly<Record<string, string>>
  readonly stdout: (bytes: Uint8Array) => void
  readonly stderr: (bytes: Uint8Array) => void
  /**
   * Fills as much of `into` as there is and says how many bytes; 0 is the end of the file. Without
   * it there is nothing to read.
   */
  readonly stdin?: (into: Uint8Array) => number
  /**
   * The most that the interpreter's memory may grow to, in bytes; past it Python raises
   * MemoryError. Null: what WebAssembly allows, 4 GiB.
   */
  readonly memoryLimit: number | null
  /** Told when its memory has grown, in bytes. */
  readonly grown?: (bytes: number) => void
  /** Told when it could not grow to so many bytes, because of the limit. */
  readonly refused?: (bytes: number) => void
  /**
   * Over a SharedArrayBuffer: a signal number written here by another thread is raised in Python.
   */
  readonly interruptBuffer: Uint8Array
  /**
   * File locks that are shared with other interpreters of this process; without them every lock is
   * granted.
   */
  readonly locks?: FileLocks
  /**
   * Told, in one line and at most once each, what was asked of the disk that cannot be had, where
   * Python's error will not say so.
   */
  readonly notice?: (text: string) => void
  /** `sys.argv` */
  readonly argv?: readonly string[]
}

const WASM_PAGE = 64 * 1024
/** How long a sleeping interpreter goes without looking for a signal, in milliseconds. */
const NAP_MS = 20
/** An in-memory folder: there is no home on the disk that an application should find by chance. */
const HOME = '/home/pyodide'

interface Emscripten extends TimeVariables {
  readonly HEAPU8: Uint8Array<ArrayBuffer>
}

/**
 * Starts CPython in this thread.
 *
 * @throws Error when the interpreter cannot start; its message is one or a few lines
 */
export async function startInterpreter(options: InterpreterOptions): Promise<PyodideAPI> {
  const { image, environment } = options
  const snapshot = image.snapshot === null ? null : await readSnapshot(image.snapshot)
  let refused = 0
  limitMemory(options.memoryLimit, options.grown, (bytes) => {
    refused ||= bytes
    options.refused?.(bytes)
  })
  const readAll = shareModule(image.module, image.stdlib, snapshot?.length ?? 0)
  const mounts = withOwnCode(options.mounts)
  const files = new HostFiles(mounts, options.locks ?? null, options.notice)
  const localTime = new LocalTime()
  let memory: WebAssembly.Memory | undefined
  wrapImports(
    (imports) => {
      files.wrapImports(imports)
      localTime.wrapImports(imports)
      sleepInsteadOfSpinning(imports)
      refuseCommands(imports)
      takeSignals(imports, options.interruptBuffer)
    },
    (made) => {
      memory = made
      localTime.use(made)
    },
  )
  takeConsole(options.stderr)
  const { stackTraceLimit } = Error
  const starting = loadPyodide({
    indexURL: `${pyodideFolder}/`,
    stdLibURL: image.stdlib,
    fsInit: readArchive(image.stdlib),
    env: { HOME, LANG: 'C.UTF-8', ...environment },
    ...(snapshot === null
      ? {}
      : { _loadSnapshot: copySparsely(snapshot, () => new Uint8Array(memory!.buffer)) }),
  } as Parameters<typeof loadPyodide>[0])
  const pyodide = await starting.catch((error: unknown) => {
    if (refused === 0) throw error
    const needed = `Python starts with ${mebibytes(refused)} of memory`
    throw new Error(
      options.memoryLimit === null
        ? `${needed}, which cannot be had`
        : `${needed}, and its limit is ${mebibytes(options.memoryLimit)}`,
    )
  })
  readAll()
  Error.stackTraceLimit = stackTraceLimit
  if (snapshot !== null) releaseSnapshot(snapshot)
  const { _module: emscripten } = pyodide as unknown as { _module: Emscripten }
  pyodide.setStdout({ write: writer(options.stdout) })
  pyodide.setStderr({ write: writer(options.stderr) })
  pyodide.setStdin(
    options.stdin === undefined ? { stdin: () => undefined } : { read: options.stdin },
  )
  // In a snapshot SQLite knows it already.
  if (snapshot === null) withoutSharedLog(pyodide)
  files.mount(pyodide)
  hostFiles.set(pyodide, files)
  pyodide.setInterruptBuffer(options.interruptBuffer)
  options.grown?.(emscripten.HEAPU8.byteLength)
  const globals = pyodide.toPy({
    sleep: (seconds: number) => sleep(seconds * 1000, options.interruptBuffer),
    set_zone: (name: string | undefined) => {
      const { timezone, altzone, daylight, names } = localTime.set(name, emscripten)
      return pyodide.toPy([timezone, altzone, daylight, ...names])
    },
    pbkdf2,
    scrypt,
    folder: pythonFolder,
    environment: { HOME, LANG: 'C.UTF-8', ...environment },
    argv: options.argv ?? [''],
    facts: hostFacts(),
    accounts: hostAccounts,
    load_average: () => pyodide.toPy(loadavg()),
  })
  pyodide.runPython(WAKE, { globals })
  globals.destroy()
  return pyodide
}

const hostFiles = new WeakMap<PyodideAPI, HostFiles>()

/** What an interpreter sees of the disk. */
export function hostFilesOf(pyodide: PyodideAPI): HostFiles {
  const files = hostFiles.get(pyodide)
  if (files === undefined) throw new Error('Not an interpreter of startInterpreter()')
  return files
}

const WAKE = `
import sys
sys.path.insert(0, folder)
from monoceros_pyodide import accounts as account_modules, host_facts, host_time, key_derivation, wake
sys.path.remove(folder)
wake.wake(environment, argv, '')
sys.dont_write_bytecode = bool(environment.get('PYTHONDONTWRITEBYTECODE'))
host_facts.install(facts, load_average)
account_modules.install(accounts)
host_time.install(sleep, set_zone)
key_derivation.install(pbkdf2, scrypt)
`

/** Our own Python code is always seen: nothing starts without it. */
function withOwnCode(mounts: readonly Mount[]): readonly Mount[] {
  if (mounts.some(({ path }) => isWithin(pythonFolder, path))) return mounts
  return [...mounts, { path: pythonFolder, readOnly: true }]
}

function writer(take: (bytes: Uint8Array) => void): (bytes: Uint8Array) => number {
  return (bytes) => {
    if (!collectStack(bytes)) take(bytes)
    return bytes.length
  }
}

/**
 * Lets `wrap` replace what the main module imports, before it is instantiated. Compiled extensions
 * see the same object.
 */
function wrapImports(
  wrap: (imports: WebAssembly.Imports) => void,
  instantiated: (memory: WebAssembly.Memory) => void,
): void {
  const { instantiate } = WebAssembly
  const replaced = async (source: Uint8Array, imports?: WebAssembly.Imports) => {
    if (imports?.env === undefined || !('__syscall_fcntl64' in imports.env))
      return await instantiate(source, imports)
    WebAssembly.instantiate = instantiate
    wrap(imports)
    const result = await instantiate(source, imports)
    instantiated(result.instance.exports.memory as WebAssembly.Memory)
    return result
  }
  WebAssembly.instantiate = replaced as typeof instantiate
}

/** Emscripten would run `os.system` in a shell of the host's. */
function refuseCommands(imports: WebAssembly.Imports): void {
  const calls = imports.env as Record<string, unknown>
  calls._emscripten_system = (command: number) => (command === 0 ? 0 : -ENOSYS)
}

/**
 * Pyodide reads a signal and then writes that there is none: one that comes between the two would
 * be lost.
 */
function takeSignals(imports: WebAssembly.Imports, signals: Uint8Array): void {
  const calls = imports.env as Record<string, unknown>
  if (!('_Py_CheckEmscriptenSignals_Helper' in calls))
    throw new Error('This version of Pyodide has no _Py_CheckEmscriptenSignals_Helper')
  // Most often there is none, and looking costs less than exchanging.
  calls._Py_CheckEmscriptenSignals_Helper = () =>
    Atomics.load(signals, 0) === 0 ? 0 : Atomics.exchange(signals, 0, 0)
}

/** Emscripten's number for it, which is WASI's. */
const ENOSYS = 52

/**
 * Emscripten takes a memory that does not grow for one that is full, and Python for one that
 * allocates no more.
 */
function limitMemory(
  limit: number | null,
  grown: ((bytes: number) => void) | undefined,
  refused: (bytes: number) => void,
): void {
  const { grow } = WebAssembly.Memory.prototype
  WebAssembly.Memory.prototype.grow = function (this: WebAssembly.Memory, pages: number): number {
    const bytes = this.buffer.byteLength + pages * WASM_PAGE
    if (limit !== null && bytes > limit) {
      refused(bytes)
      throw new RangeError('over the memory limit')
    }
    let before: number
    try {
      before = grow.call(this, pages)
    } catch (error) {
      // WebAssembly has no more, or the machine.
      refused(bytes)
      throw error
    }
    grown?.(bytes)
    return before
  }
}

const nobody = new Int32Array(new SharedArrayBuffer(4))

function sleep(milliseconds: number, interruptBuffer: Uint8Array): void {
  const until = performance.now() + milliseconds
  for (;;) {
    const left = until - performance.now()
    if (left <= 0 || Atomics.load(interruptBuffer, 0) !== 0) return
    Atomics.wait(nobody, 0, 0, Math.min(left, NAP_MS))
  }
}
