import type { MessagePort } from 'node:worker_threads'
import type { Mount } from '../files/mounts.ts'
import type { InterpreterImage } from '../image/image.ts'

/**
 * What a command and the thread that runs its program share. While the thread runs Python it is
 * blocked and is woken through shared memory.
 */

/**
 * What `monoceros python` runs, and how: the `Program` of python/monoceros_pyodide/run.py. Paths
 * are absolute.
 */
export interface Program {
  readonly kind: 'script' | 'module' | 'code' | 'input' | 'prompt' | 'version' | 'configuration'
  /** The script as given, the module, the code itself, or the place of the configuration. */
  readonly name: string
  /** The script's text if the interpreter cannot read the file itself (a pipe), else null. */
  readonly source: string | null
  /** `sys.argv[1:]` */
  readonly args: readonly string[]
  /** The working directory. */
  readonly cwd: string
  /** Folders from whose installed packages modules can be imported. */
  readonly folders: readonly string[]
  readonly pythonpath: readonly string[]
  readonly terminals: {
    readonly input: boolean
    readonly output: boolean
    readonly errors: boolean
  }
  readonly flags: ProgramFlags
}

export interface ProgramFlags {
  /** `-u` */
  readonly unbuffered: boolean
  /** `-i`: show a prompt after the program. */
  readonly inspect: boolean
  /** `-q` */
  readonly quiet: boolean
  /** `-P`: do not search the script's folder or the working directory for modules. */
  readonly safePath: boolean
  /** `-B` */
  readonly noByteCode: boolean
  /** `-W`, in the order given. */
  readonly warnings: readonly string[]
  /** `-X` */
  readonly options: readonly string[]
}

/** The positions of the shared words. */
export const COMMAND_WORDS = {
  /** One of {@link INPUT_STATES}. The thread sleeps on it. */
  input: 0,
  /** How many bytes there are in the state `ready`; 0 is the end of the file. */
  length: 1,
  columns: 2,
  rows: 3,
  /** Counts how often the echo was switched. The thread sleeps on it. */
  switched: 4,
} as const

export const INPUT_STATES = { idle: 0, wanted: 1, ready: 2, failed: 3 } as const

export const COMMAND_WORDS_BYTES = 20
/** How much of standard input is read at once, in bytes. */
export const INPUT_BYTES = 64 * 1024

/** The interpreter's number in the table of file locks. */
export const LOCK_OWNER = 1

/** The data that the thread is started with. */
export interface CommandThreadData {
  readonly port: MessagePort
  /** {@link COMMAND_WORDS}, as an Int32Array. */
  readonly shared: SharedArrayBuffer
  /** The bytes that were read. */
  readonly input: SharedArrayBuffer
  /** The interrupt buffer: one byte. */
  readonly signals: SharedArrayBuffer
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  readonly environment: Readonly<Record<string, string>>
  readonly program: Program
  /** The file locks of this process, `createLockTable()`. */
  readonly locks: SharedArrayBuffer
}

/** What the thread sends. */
export type CommandNotice =
  /** The interpreter runs. From now on, errors are the program's. */
  | { readonly type: 'started' }
  /** It has claimed a file for this process, for the `ClaimKeeper`. */
  | { readonly type: 'claimed' }
  /** The thread needs up to `size` bytes of standard input. */
  | { readonly type: 'read'; readonly size: number }
  /** Whether the terminal shows what is typed from now on. */
  | { readonly type: 'echo'; readonly echo: boolean }
  /** What a configuration has, as JSON. */
  | { readonly type: 'answer'; readonly text: string }
  | { readonly type: 'ended'; readonly status: number }
  /**
   * The interpreter failed: one line, and Python's stack if it is known. It never contains
   * JavaScript.
   */
  | { readonly type: 'broken'; readonly reason: string; readonly place: string }
