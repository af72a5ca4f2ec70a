import { loadavg } from 'node:os'
import type { PyodideAPI } from 'pyodide'
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
import { importPyodide, pyodideFolder, pythonFolder } from './package.ts'
import { hostAccounts, hostFacts } from './system/host-facts.ts'
import { pbkdf2, scrypt } from './system/key-derivation.ts'
import { LocalTime, type TimeVariables } from './system/local-time.ts'
import { sleepInsteadOfSpinning } from './system/sleep.ts'
import { withoutSharedLog } from './system/sqlite-log.ts'

/** What an interpreter is started with. Each needs a thread of its own. */
export interface InterpreterOptions {
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  /** `os.environ`. HOME and LANG are added if they are missing. */
  readonly environment: Readonly<Record<string, string>>
  readonly stdout: (bytes: Uint8Array) => void
  readonly stderr: (bytes: Uint8Array) => void
  /**
   * Reads standard input into `into` and returns the number of bytes; 0 is the end of the file.
   * Without it there is nothing to read.
   */
  readonly stdin?: (into: Uint8Array) => number
  /**
   * The limit of the interpreter's memory, in bytes. Beyond it, Python raises MemoryError. Null:
   * the limit of WebAssembly, 4 GiB.
   */
  readonly memoryLimit: number | null
  /** Called when the memory has grown, with its size in bytes. */
  readonly grown?: (bytes: number) => void
  /** Called when the memory could not grow to that size in bytes. */
  readonly refused?: (bytes: number) => void
  /**
   * On a SharedArrayBuffer. A signal number that another thread writes here is raised in Python.
   */
  readonly interruptBuffer: Uint8Array
  /**
   * File locks, shared with other interpreters of this process. Without them every lock is
   * granted.
   */
  readonly locks?: FileLocks
  /**
   * Called with one line, at most once for each text, if something cannot be done on the disk and
   * Python's error does not explain why.
   */
  readonly notice?: (text: string) => void
  /** `sys.argv` */
  readonly argv?: readonly string[]
}

const WASM_PAGE = 64 * 1024
/** How often a sleeping interpreter checks for a signal, in milliseconds. */
const NAP_MS = 20
/** A folder in memory, so that an application does not find files on the disk by chance. */
const HOME = '/home/pyodide'

interface InterpreterModule extends TimeVariables {
  readonly HEAPU8: Uint8Array<ArrayBuffer>
}

/**
 * Starts CPython in this thread.
 *
 * @throws Error if the interpreter cannot start. The message has one line or a few
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
  const { loadPyodide } = await importPyodide()
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
        ? `${needed}, which is not available`
        : `${needed}, and its limit is ${mebibytes(options.memoryLimit)}`,
    )
  })
  readAll()
  Error.stackTraceLimit = stackTraceLimit
  if (snapshot !== null) releaseSnapshot(snapshot)
  const { _module: emscripten } = pyodide as unknown as { _module: InterpreterModule }
  pyodide.setStdout({ write: writer(options.stdout) })
  pyodide.setStderr({ write: writer(options.stderr) })
  pyodide.setStdin(
    options.stdin === undefined ? { stdin: () => undefined } : { read: options.stdin },
  )
  // In a snapshot this is done already.
  if (snapshot === null) withoutSharedLog(pyodide)
  files.mount(pyodide)
  HOST_FILES.set(pyodide, files)
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

const HOST_FILES = new WeakMap<PyodideAPI, HostFiles>()

/** The disk as an interpreter sees it. */
export function hostFilesOf(pyodide: PyodideAPI): HostFiles {
  const files = HOST_FILES.get(pyodide)
  if (files === undefined) throw new Error('The interpreter was not started by startInterpreter()')
  return files
}

const WAKE = `
import sys
sys.path.insert(0, folder)
from monoceros_pyodide import accounts as account_modules
from monoceros_pyodide import host_facts, host_time, key_derivation, wake
sys.path.remove(folder)
wake.wake(environment, argv, '')
sys.dont_write_bytecode = bool(environment.get('PYTHONDONTWRITEBYTECODE'))
host_facts.install(facts, load_average)
account_modules.install(accounts)
host_time.install(sleep, set_zone)
key_derivation.install(pbkdf2, scrypt)
`

/** Adds Monoceros' own Python code, which every interpreter needs. */
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
 * Calls `wrap` with the imports of the main module before it is instantiated, so that it can
 * replace some. Compiled extensions get the same object.
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

/** Disables `os.system`, which InterpreterModule would run in a shell of the host. */
function refuseCommands(imports: WebAssembly.Imports): void {
  const calls = imports.env as Record<string, unknown>
  calls._emscripten_system = (command: number) => (command === 0 ? 0 : -ENOSYS)
}

/**
 * Takes signals atomically. Pyodide reads a signal and then clears it, so one that arrives between
 * the two would be lost.
 */
function takeSignals(imports: WebAssembly.Imports, signals: Uint8Array): void {
  const calls = imports.env as Record<string, unknown>
  if (!('_Py_CheckEmscriptenSignals_Helper' in calls))
    throw new Error('This version of Pyodide has no _Py_CheckEmscriptenSignals_Helper')
  // Usually there is no signal, and a load is cheaper than an exchange.
  calls._Py_CheckEmscriptenSignals_Helper = () =>
    Atomics.load(signals, 0) === 0 ? 0 : Atomics.exchange(signals, 0, 0)
}

/** InterpreterModule uses WASI's error numbers. */
const ENOSYS = 52

/**
 * Limits the memory of the thread's interpreter. If the memory does not grow, InterpreterModule
 * reports a failed allocation and Python raises MemoryError.
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
      // WebAssembly's limit is reached, or the machine has no more memory.
      refused(bytes)
      throw error
    }
    grown?.(bytes)
    return before
  }
}

const NEVER_NOTIFIED = new Int32Array(new SharedArrayBuffer(4))

function sleep(milliseconds: number, interruptBuffer: Uint8Array): void {
  const until = performance.now() + milliseconds
  for (;;) {
    const left = until - performance.now()
    if (left <= 0 || Atomics.load(interruptBuffer, 0) !== 0) return
    Atomics.wait(NEVER_NOTIFIED, 0, 0, Math.min(left, NAP_MS))
  }
}
