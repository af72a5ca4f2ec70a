/** The program of a command's thread: an interpreter in which `monoceros_pyodide.run` runs. */
import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import type { PyodideAPI } from 'pyodide'
import { collectStack, describeFailure } from '../failure.ts'
import { startInterpreter } from '../interpreter.ts'
import { FileLocks } from '../locks/file-locks.ts'
import { pythonFolder } from '../package.ts'
import {
  COMMAND_WORDS,
  type CommandNotice,
  type CommandThreadData,
  INPUT_STATES,
  LOCK_OWNER,
} from './command-link.ts'

const data = workerData as CommandThreadData
const { port, program } = data
const shared = new Int32Array(data.shared)
const input = new Uint8Array(data.input)
const signals = new Uint8Array(data.signals)

const STDOUT = 1
const STDERR = 2
/** How long to wait while a pipe is full, in milliseconds: at first, and at most. */
const FIRST_PAUSE = 1
const LONGEST_PAUSE = 50

/** The `Host` of python/monoceros_pyodide/run.py. */
class Host {
  /** Nobody reads standard output any more. */
  broken = false

  set_echo(echo: boolean): void {
    const { switched } = COMMAND_WORDS
    const before = Atomics.load(shared, switched)
    say({ type: 'echo', echo })
    // Python must not show a prompt before the echo has been switched off.
    Atomics.wait(shared, switched, before)
  }

  is_broken(): boolean {
    return this.broken
  }

  answer(text: string): void {
    say({ type: 'answer', text })
  }
}

const host = new Host()
const NEVER_NOTIFIED = new Int32Array(new SharedArrayBuffer(4))

function say(notice: CommandNotice): void {
  port.postMessage(notice)
}

/** An error that Pyodide converts to Python's OSError with that code. */
function osError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/**
 * Reads through the main thread, because a thread that is blocked in read(2) cannot be interrupted.
 *
 * @throws EINTR if there is a pending signal. What is read later is then returned by the next call
 */
function read(into: Uint8Array): number {
  // The C library reads into two buffers at once, and the first may be empty.
  if (into.length === 0) return 0
  const { input: state, length } = COMMAND_WORDS
  for (;;) {
    switch (Atomics.load(shared, state)) {
      case INPUT_STATES.idle:
        Atomics.store(shared, state, INPUT_STATES.wanted)
        say({ type: 'read', size: Math.min(into.length, input.length) })
        break
      case INPUT_STATES.wanted:
        if (Atomics.load(signals, 0) !== 0) throw osError('EINTR')
        Atomics.wait(shared, state, INPUT_STATES.wanted)
        break
      case INPUT_STATES.failed:
        Atomics.store(shared, state, INPUT_STATES.idle)
        throw osError('EIO')
      default: {
        const size = Atomics.load(shared, length)
        const taken = Math.min(size, into.length)
        into.set(input.subarray(0, taken))
        if (taken < size) {
          // An interrupted call had asked for more bytes.
          input.copyWithin(0, taken, size)
          Atomics.store(shared, length, size - taken)
        } else Atomics.store(shared, state, INPUT_STATES.idle)
        return taken
      }
    }
  }
}

function write(descriptor: number, bytes: Uint8Array): void {
  let pause = FIRST_PAUSE
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(descriptor, bytes, done)
      pause = FIRST_PAUSE
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EAGAIN') {
        if (code === 'EPIPE' && descriptor === STDOUT) host.broken = true
        throw error
      }
      // Ctrl-C must end a program whose output is not read.
      if (Atomics.load(signals, 0) !== 0 && done === 0) throw osError('EINTR')
      Atomics.wait(NEVER_NOTIFIED, 0, 0, pause)
      pause = Math.min(pause * 2, LONGEST_PAUSE)
    }
  }
}

/**
 * Shows a line to the user. It is called in Python's system calls, so it must not throw.
 */
function notice(text: string): void {
  try {
    write(STDERR, Buffer.from(`monoceros python: ${text}\n`))
  } catch {
    // Nobody reads standard error.
  }
}

function writer(descriptor: number, terminal: boolean) {
  return {
    isatty: terminal,
    write: (bytes: Uint8Array) => {
      if (!collectStack(bytes)) write(descriptor, bytes)
      return bytes.length
    },
    getTerminalSize: () => ({
      columns: Atomics.load(shared, COMMAND_WORDS.columns) || 80,
      rows: Atomics.load(shared, COMMAND_WORDS.rows) || 24,
    }),
  }
}

function connectTerminals(pyodide: PyodideAPI): void {
  const { terminals } = program
  if (terminals.output) pyodide.setStdout(writer(STDOUT, true))
  if (terminals.errors) pyodide.setStderr(writer(STDERR, true))
  if (terminals.input) pyodide.setStdin({ read, isatty: true })
}

async function run(): Promise<number> {
  const pyodide = await startInterpreter({
    image: data.image,
    mounts: data.mounts,
    environment: data.environment,
    stdout: (bytes) => write(STDOUT, bytes),
    stderr: (bytes) => write(STDERR, bytes),
    ...(program.kind === 'configuration' ? {} : { stdin: read }),
    memoryLimit: null,
    interruptBuffer: signals,
    notice,
    locks: new FileLocks(data.locks, LOCK_OWNER, {
      interrupted: () => Atomics.load(signals, 0) !== 0,
      claimed: () => say({ type: 'claimed' }),
      notice,
    }),
  })
  connectTerminals(pyodide)
  say({ type: 'started' })
  const globals = pyodide.toPy({ host, folder: pythonFolder, program: JSON.stringify(program) })
  const status: unknown = pyodide.runPython(RUN, { globals })
  // After a fatal error in a call from Python to JavaScript, Pyodide returns as if nothing had
  // happened.
  if (typeof status !== 'number') throw new Error('the interpreter ended in the middle of its work')
  return status
}

const RUN = `
import sys
sys.path.insert(0, folder)
import monoceros
from monoceros_pyodide import run
sys.path.remove(folder)
run.main(program, host)
`

// An unhandled rejection is not a reason to end. The thread does not return to its
// event loop in any case.
process.on('unhandledRejection', () => {})
try {
  say({ type: 'ended', status: await run() })
} catch (error) {
  const { reason, place, status } = describeFailure(error)
  say(status === null ? { type: 'broken', reason, place } : { type: 'ended', status })
}
