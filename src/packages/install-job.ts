/** Messages between the command and the thread with the interpreter. */
import type { MessagePort } from 'node:worker_threads'
import type { Mount } from '../runtimes/pyodide/files/mounts.ts'
import type { InterpreterImage } from '../runtimes/pyodide/image/image.ts'

/** One installation, for python/monoceros_pyodide/installer.py. Paths are absolute. */
export interface InstallJob {
  readonly cwd: string
  /** The folder to install into: a copy of the target. */
  readonly stage: string
  /** For temporary files. */
  readonly temporary: string
  /** The folder for files that are kept between installations, or null. */
  readonly cache: string | null
  /** `compiled` is the name of the file made from the wheel; it depends on the Python. */
  readonly pip: { readonly filename: string; readonly sha256: string; readonly compiled: string }
  /** Options for pip's own parser. */
  readonly arguments: readonly string[]
  readonly requirements: readonly string[]
  readonly indexOptions: Readonly<Record<string, readonly string[]>>
  /** The text of the lock file; null if there is none. */
  readonly lock: string | null
  /** Its path, for messages. */
  readonly lockFile: string
  /** Install exactly what is in the lock file. */
  readonly locked: boolean
  /** -1 for quiet, 0, and 1 or more for verbose. */
  readonly verbosity: number
}

/** The result of an installation. */
export type InstallOutcome =
  | { readonly error: string }
  | {
      readonly error?: undefined
      /** Names and versions of the packages that were installed now. */
      readonly installed: readonly (readonly [string, string])[]
      /** How many packages are there now. */
      readonly present: number
      /** Names of packages that were installed without their compiled part. */
      readonly stripped: readonly string[]
      readonly warnings: readonly string[]
      /** Names of installed packages whose hash is unknown. */
      readonly unlocked: readonly string[]
      /** The new text of the lock file. */
      readonly lock: string
    }

/** A notice of the interpreter during the installation. */
export type InstallNotice =
  | { readonly kind: 'step'; readonly text: string }
  | { readonly kind: 'said' | 'warning'; readonly text: string }
  | {
      readonly kind: 'installing'
      readonly name: string
      readonly number: number
      readonly total: number
    }
  | {
      readonly kind: 'download'
      readonly name: string
      readonly received: number
      readonly total: number | null
      readonly done: boolean
    }
  | { readonly kind: 'cached'; readonly name: string }

/** From the thread to the command. */
export type ThreadMessage =
  | {
      readonly type: 'call'
      readonly name: string
      readonly arguments: string
      readonly data: Uint8Array | null
    }
  | { readonly type: 'notice'; readonly notice: InstallNotice }
  | { readonly type: 'outcome'; readonly outcome: InstallOutcome }

/** The answer to a call. */
export interface CallAnswer {
  readonly json: string
  readonly data: Uint8Array | null
}

/** The data that the thread starts with. */
export interface InstallThreadData {
  readonly job: InstallJob
  readonly image: InterpreterImage
  readonly mounts: readonly Mount[]
  readonly environment: Readonly<Record<string, string>>
  readonly port: MessagePort
  /** An Int32 that counts answers, so that the thread can wait for one. */
  readonly answered: SharedArrayBuffer
}
