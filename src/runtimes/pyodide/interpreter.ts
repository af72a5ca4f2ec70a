import { loadPyodide, type PyodideAPI } from 'pyodide'
import { mountHostFiles } from './host-files.ts'
import type { InterpreterImage } from './image.ts'
import type { Mount } from './mounts.ts'
import { pyodideFolder } from './package.ts'

/** What an interpreter is started with. It has the thread to itself. */
export interface InterpreterOptions {
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  /** The whole of `os.environ`. */
  readonly environment: Readonly<Record<string, string>>
  readonly stdout: (bytes: Uint8Array) => void
  readonly stderr: (bytes: Uint8Array) => void
  /** Fills as much of `into` as there is and says how many bytes; 0 is the end of the file. Without it there is nothing to read. */
  readonly stdin?: (into: Uint8Array) => number
  /** The most that the interpreter's memory may grow to, in bytes; past it Python raises MemoryError. Null: what WebAssembly allows, 4 GiB. */
  readonly memoryLimit: number | null
  /** Told when its memory has grown, in bytes. */
  readonly grown?: (bytes: number) => void
  /** Over a SharedArrayBuffer: a signal number written here by another thread is raised in Python. */
  readonly interruptBuffer: Uint8Array
}

const WASM_PAGE = 64 * 1024

/**
 * Starts CPython in this thread.
 *
 * @throws Error when the interpreter cannot start; its message is one or a few lines
 */
export async function startInterpreter(options: InterpreterOptions): Promise<PyodideAPI> {
  const { image } = options
  limitMemory(options.memoryLimit, options.grown)
  shareModule(image.module)
  const pyodide = await loadPyodide({
    indexURL: `${pyodideFolder}/`,
    stdLibURL: image.stdlib,
    env: { HOME: '/home/pyodide', ...options.environment },
    ...(image.snapshot === null ? {} : { _loadSnapshot: new Uint8Array(image.snapshot) }),
  } as Parameters<typeof loadPyodide>[0])
  pyodide.setStdout({ write: writer(options.stdout) })
  pyodide.setStderr({ write: writer(options.stderr) })
  pyodide.setStdin(options.stdin === undefined ? { stdin: () => undefined } : { read: options.stdin })
  mountHostFiles(pyodide, options.mounts)
  pyodide.setInterruptBuffer(options.interruptBuffer)
  return pyodide
}

function writer(take: (bytes: Uint8Array) => void): (bytes: Uint8Array) => number {
  return (bytes) => {
    take(bytes)
    return bytes.length
  }
}

/** The module has been compiled for all threads of the process; Pyodide would compile it anew. */
function shareModule(module: WebAssembly.Module): void {
  const { instantiate } = WebAssembly
  const replaced = async (source: Uint8Array | WebAssembly.Module, imports?: WebAssembly.Imports) => {
    if (source instanceof WebAssembly.Module) return await instantiate(source, imports)
    if (source.byteLength < LEAST_MAIN_MODULE) return await instantiate(source, imports)
    return { module, instance: await instantiate(module, imports) }
  }
  WebAssembly.instantiate = replaced as typeof instantiate
}

/** CPython itself is 9.6 MB; the libraries beside it that Pyodide makes instances of are small. */
const LEAST_MAIN_MODULE = 4 * 1024 * 1024

/** Emscripten takes a memory that does not grow for one that is full, and Python for one that allocates no more. */
function limitMemory(limit: number | null, grown: ((bytes: number) => void) | undefined): void {
  const { grow } = WebAssembly.Memory.prototype
  WebAssembly.Memory.prototype.grow = function (this: WebAssembly.Memory, pages: number): number {
    const bytes = this.buffer.byteLength + pages * WASM_PAGE
    if (limit !== null && bytes > limit) throw new RangeError('over the memory limit')
    const before = grow.call(this, pages)
    grown?.(bytes)
    return before
  }
}

