import type { MessagePort } from 'node:worker_threads'
import type { Mount } from '../files/mounts.ts'
import type { InterpreterImage } from '../image/image.ts'

/**
 * What a command and the thread that runs its program share. The thread is blocked while it runs
 * Python, so it is woken through memory.
 */

/**
 * What `python` is to run, and how: the `Program` of python/monoceros_pyodide/run.py. Paths are
 * absolute.
 */
export interface Program {
  readonly kind: 'script' | 'module' | 'code' | 'input' | 'prompt' | 'version'
  /** The script as it was named, the module, or the code itself. */
  readonly name: string
  /** A script's text, where the interpreter cannot read it itself (a pipe). */
  readonly source: string | null
  /** `sys.argv[1:]` */
  readonly args: readonly string[]
  /** The working directory. */
  readonly cwd: string
  /** Whose packages can be imported. */
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
  /** `-i`: a prompt when the program is over. */
  readonly inspect: boolean
  /** `-q` */
  readonly quiet: boolean
  /** `-P`: the script's folder, or the working directory, is not searched for modules. */
  readonly safePath: boolean
  /** `-B` */
  readonly noByteCode: boolean
  /** `-W`, in their order. */
  readonly warnings: readonly string[]
  /** `-X` */
  readonly options: readonly string[]
}

/** Places in the shared words. */
export const commandWords = {
  /** One of {@link inputStates}; the thread sleeps on it. */
  input: 0,
  /** How many bytes there are when it is `ready`; 0 is the end. */
  length: 1,
  columns: 2,
  rows: 3,
  /** Counts how often echoing was switched; the thread sleeps on it. */
  switched: 4,
} as const

export const inputStates = { idle: 0, wanted: 1, ready: 2, failed: 3 } as const

export const COMMAND_WORDS_BYTES = 20
/** What is read of standard input at once, in bytes. */
export const INPUT_BYTES = 64 * 1024

/** The number of the one interpreter in the table of file locks. */
export const LOCK_OWNER = 1

/** All that the thread begins with. */
export interface CommandThreadData {
  readonly port: MessagePort
  /** {@link commandWords}, as an Int32Array. */
  readonly shared: SharedArrayBuffer
  /** What was read. */
  readonly input: SharedArrayBuffer
  /** One byte: the interrupt buffer. */
  readonly signals: SharedArrayBuffer
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  readonly environment: Readonly<Record<string, string>>
  readonly program: Program
  /** The file locks of this process, `createLockTable()`. */
  readonly locks: SharedArrayBuffer
}

/** What the thread says. */
export type CommandNotice =
  /** The interpreter runs: what goes wrong from now on is the program's. */
  | { readonly type: 'started' }
  /** It has claimed a file for this process, for the `ClaimKeeper`. */
  | { readonly type: 'claimed' }
  /** Standard input is wanted: up to that many bytes. */
  | { readonly type: 'read'; readonly size: number }
  /** Whether a terminal is to show what is typed from now on. */
  | { readonly type: 'echo'; readonly echo: boolean }
  | { readonly type: 'ended'; readonly status: number }
  /**
   * The interpreter broke down: a line, and where in Python it was, or nothing. Never JavaScript.
   */
  | { readonly type: 'broken'; readonly reason: string; readonly place: string }
