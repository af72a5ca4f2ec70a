import { MessageChannel, Worker } from 'node:worker_threads'
import { CodedError, coded } from '../../../messages/coded.ts'
import { ownEntry } from '../../../own-files/own-files.ts'
import type { Mount } from '../files/mounts.ts'
import { discardSnapshot, type InterpreterImage, loadImage, snapshotFits } from '../image/image.ts'
import { takeLastMessages } from '../last-messages.ts'
import { ClaimKeeper } from '../locks/claim-keeper.ts'
import { createLockTable, releaseOwner } from '../locks/lock-table.ts'
import { STACK_MB } from '../memory-limit.ts'
import {
  COMMAND_WORDS,
  COMMAND_WORDS_BYTES,
  type CommandNotice,
  type CommandThreadData,
  INPUT_BYTES,
  LOCK_OWNER,
  type Program,
} from './command-link.ts'
import { StandardInput } from './standard-input.ts'

/** A program, and the files and variables that it sees. */
export interface ProgramRequest {
  readonly program: Program
  readonly mounts: readonly Mount[]
  /** The whole of `os.environ`. */
  readonly environment: Readonly<Record<string, string>>
  /** Receives what a configuration has. */
  readonly answered?: (text: string) => void
  /** Ends the program. */
  readonly signal?: AbortSignal | undefined
}

/** The interpreter broke down. `message` is one line and, if it is known, Python's stack. */
export class BreakdownError extends CodedError {
  readonly code = 'breakdown'
}

/** The result if the interpreter could not be started from its snapshot. */
const UNFIT = Symbol('unfit')

const SIGINT = 2
/**
 * Two signals within this time (ms) come from one key press: one from the terminal, and one that
 * the parent process forwarded.
 */
const ECHO_MS = 50
const INTERRUPTED = 128 + SIGINT

/**
 * Runs a Python program on an embedded interpreter, in a thread of its own, with this process's
 * standard streams. SIGINT raises KeyboardInterrupt. A second SIGINT before Python has raised the
 * first ends the program.
 *
 * @returns the exit status of `python`
 * @throws BreakdownError if the interpreter broke down
 */
export async function runProgram(request: ProgramRequest): Promise<number> {
  const image = await loadImage()
  const fitting = snapshotFits(request.environment) ? image : { ...image, snapshot: null }
  const status = await runThread(request, fitting)
  if (status !== UNFIT) return status
  await discardSnapshot()
  return (await runThread(request, { ...image, snapshot: null })) as number
}

async function runThread(
  { program, mounts, environment, answered, signal: unwanted }: ProgramRequest,
  image: InterpreterImage,
): Promise<number | typeof UNFIT> {
  const { port1: port, port2 } = new MessageChannel()
  const shared = new SharedArrayBuffer(COMMAND_WORDS_BYTES)
  const words = new Int32Array(shared)
  const input = new SharedArrayBuffer(INPUT_BYTES)
  const signals = new SharedArrayBuffer(1)
  const signal = new Uint8Array(signals)
  const locks = createLockTable()
  const claims = new ClaimKeeper(locks)
  const workerData: CommandThreadData = {
    port: port2,
    shared,
    input,
    signals,
    image,
    mounts,
    environment,
    program,
    locks,
  }
  const resize = () => {
    Atomics.store(words, COMMAND_WORDS.columns, process.stdout.columns ?? 0)
    Atomics.store(words, COMMAND_WORDS.rows, process.stdout.rows ?? 0)
  }
  resize()
  process.on('SIGWINCH', resize)
  const thread = new Worker(ownEntry('runtimes/pyodide/command/command-entry'), {
    workerData,
    transferList: [port2],
    name: 'monoceros python',
    env: {},
    execArgv: [],
    resourceLimits: { stackSizeMb: STACK_MB },
    // What Pyodide itself writes there, pages of its own source, is of no use to users.
    stdout: true,
    stderr: true,
  })
  const raise = () => {
    Atomics.store(signal, 0, SIGINT)
    Atomics.notify(words, COMMAND_WORDS.input)
  }
  const standardInput = new StandardInput(words, new Uint8Array(input), raise)
  let interrupted = () => {}
  let pressed = Number.NEGATIVE_INFINITY
  const onInterrupt = () => {
    const now = performance.now()
    const again = now - pressed < ECHO_MS
    pressed = now
    if (again) return
    if (Atomics.load(signal, 0) === SIGINT) interrupted()
    else raise()
  }
  // A configuration is a part of this process, which has its own way with signals.
  if (program.kind !== 'configuration') process.on('SIGINT', onInterrupt)
  const abandon = () => interrupted()
  unwanted?.addEventListener('abort', abandon, { once: true })
  try {
    return await new Promise<number | typeof UNFIT>((resolve, reject) => {
      let started = false
      const fail = (message: string) =>
        started || image.snapshot === null
          ? reject(new BreakdownError(coded('MONO7002', message)))
          : resolve(UNFIT)
      interrupted = () => resolve(INTERRUPTED)
      if (unwanted?.aborted) interrupted()
      const onNotice = (notice: CommandNotice) => {
        if (notice.type === 'started') started = true
        else if (notice.type === 'claimed') claims.claimed()
        else if (notice.type === 'read') standardInput.give(notice.size)
        else if (notice.type === 'echo') standardInput.echo(notice.echo)
        else if (notice.type === 'answer') answered?.(notice.text)
        else if (notice.type === 'ended') resolve(notice.status & 0xff)
        else fail(breakdown(notice.reason, notice.place))
      }
      port.on('message', onNotice)
      thread.on('error', (error) => fail(breakdown(error.message.split('\n', 1)[0] as string, '')))
      thread.on('exit', (code) => {
        takeLastMessages(port, onNotice)
        if (started) resolve(code)
        else fail(breakdown('', ''))
      })
    })
  } finally {
    process.off('SIGINT', onInterrupt)
    unwanted?.removeEventListener('abort', abandon)
    process.off('SIGWINCH', resize)
    standardInput.end()
    port.close()
    await thread.terminate()
    releaseOwner(locks, LOCK_OWNER)
  }
}

function breakdown(reason: string, place: string): string {
  const what =
    reason === ''
      ? 'the embedded Python ended by itself'
      : `the embedded Python broke down: ${reason}`
  return place === '' ? what : `${what}\n${place}`
}
