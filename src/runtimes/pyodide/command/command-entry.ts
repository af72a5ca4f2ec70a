/** What the thread of a command runs: an interpreter, and `monoceros_pyodide.run` in it. */
import { writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import type { PyodideAPI } from 'pyodide'
import { collectStack, describeFailure } from '../failure.ts'
import { startInterpreter } from '../interpreter.ts'
import { FileLocks } from '../locks/file-locks.ts'
import { pythonFolder } from '../package.ts'
import {
  type CommandNotice,
  type CommandThreadData,
  commandWords,
  inputStates,
  LOCK_OWNER,
} from './command-link.ts'

const data = workerData as CommandThreadData
const { port, program } = data
const shared = new Int32Array(data.shared)
const input = new Uint8Array(data.input)
const signals = new Uint8Array(data.signals)

const STDOUT = 1
const STDERR = 2
/**
 * How long to wait until somebody has read what fills a pipe, in milliseconds, at first and at
 * most.
 */
const FIRST_PAUSE = 1
const LONGEST_PAUSE = 50

/** The `Host` of python/monoceros_pyodide/run.py. */
class Host {
  /** Whether nobody reads standard output any more. */
  broken = false

  set_echo(echo: boolean): void {
    const { switched } = commandWords
    const before = Atomics.load(shared, switched)
    say({ type: 'echo', echo })
    // A prompt must not be there before what is typed is unseen.
    Atomics.wait(shared, switched, before)
  }

  is_broken(): boolean {
    return this.broken
  }
}

const host = new Host()
const nobody = new Int32Array(new SharedArrayBuffer(4))

function say(notice: CommandNotice): void {
  port.postMessage(notice)
}

/** An error that Pyodide hands to Python as an OSError of that code. */
function osError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

/**
 * Reads through the main thread: a thread that sits in read(2) cannot be interrupted.
 *
 * @throws EINTR when there is a signal to be raised; what was asked for is then given to the next
 * who reads
 */
function read(into: Uint8Array): number {
  // The C library reads into two places at once, and the first may have no room.
  if (into.length === 0) return 0
  const { input: state, length } = commandWords
  for (;;) {
    switch (Atomics.load(shared, state)) {
      case inputStates.idle:
        Atomics.store(shared, state, inputStates.wanted)
        say({ type: 'read', size: Math.min(into.length, input.length) })
        break
      case inputStates.wanted:
        if (Atomics.load(signals, 0) !== 0) throw osError('EINTR')
        Atomics.wait(shared, state, inputStates.wanted)
        break
      case inputStates.failed:
        Atomics.store(shared, state, inputStates.idle)
        throw osError('EIO')
      default: {
        const size = Atomics.load(shared, length)
        const taken = Math.min(size, into.length)
        into.set(input.subarray(0, taken))
        if (taken < size) {
          // Whoever was interrupted had asked for more.
          input.copyWithin(0, taken, size)
          Atomics.store(shared, length, size - taken)
        } else Atomics.store(shared, state, inputStates.idle)
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
      // Ctrl-C has to end a program whose output is not read.
      if (Atomics.load(signals, 0) !== 0 && done === 0) throw osError('EINTR')
      Atomics.wait(nobody, 0, 0, pause)
      pause = Math.min(pause * 2, LONGEST_PAUSE)
    }
  }
}

/**
 * For the user. It is called inside of Python's system calls, which know no failures but their own.
 */
function notice(text: string): void {
  try {
    write(STDERR, Buffer.from(`monoceros python: ${text}\n`))
  } catch {
    // Nobody reads it.
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
      columns: Atomics.load(shared, commandWords.columns) || 80,
      rows: Atomics.load(shared, commandWords.rows) || 24,
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
    stdin: read,
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
  // After a fatal error inside of a call from Python to JavaScript Pyodide returns as if nothing
  // had been.
  if (typeof status !== 'number') throw new Error('the interpreter ended in the middle of its work')
  return status
}

const RUN = `
import sys
sys.path.insert(0, folder)
from monoceros_pyodide import run
sys.path.remove(folder)
run.main(program, host)
`

// A promise that nobody waits for is no reason to end; the thread does not come back to its event
// loop in any case.
process.on('unhandledRejection', () => {})
try {
  say({ type: 'ended', status: await run() })
} catch (error) {
  const { reason, place, status } = describeFailure(error)
  say(status === null ? { type: 'broken', reason, place } : { type: 'ended', status })
}
