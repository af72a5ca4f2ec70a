/**
 * The program of a worker's thread: an interpreter in which `monoceros.embedded` runs until the
 * acceptor sends STOP.
 */
import { workerData } from 'node:worker_threads'
import { coded } from '../../../messages/coded.ts'
import { WARNING } from '../../workers/log-levels.ts'
import { describeFailure } from '../failure.ts'
import { startInterpreter } from '../interpreter.ts'
import { FileLocks } from '../locks/file-locks.ts'
import { pythonFolder } from '../package.ts'
import { AcceptorPort } from './acceptor-port.ts'
import { InterpreterLink } from './interpreter-link.ts'
import { MemoryReport } from './memory-report.ts'
import type { WorkerThreadData } from './worker-link.ts'

const data = workerData as WorkerThreadData
const words = new Int32Array(data.shared)
const signals = new Uint8Array(data.signals)
const port = new AcceptorPort(data.port, words)

async function run(): Promise<void> {
  const memory = new MemoryReport(data.memoryLimit, port, words)
  const pyodide = await startInterpreter({
    image: data.image,
    mounts: data.mounts,
    environment: data.environment,
    stdout: port.output('stdout'),
    stderr: port.output('stderr'),
    memoryLimit: data.memoryLimit,
    grown: (bytes) => memory.grown(bytes),
    refused: () => memory.refused(),
    interruptBuffer: signals,
    notice: (text) => port.log(WARNING, coded('MONO2052', text)),
    locks: new FileLocks(data.locks, data.owner, {
      interrupted: () => Atomics.load(signals, 0) !== 0,
      claimed: () => port.notify({ type: 'claimed' }),
      notice: (text) => port.log(WARNING, coded('MONO2052', text)),
    }),
    argv: ['monoceros'],
  })
  const link = new InterpreterLink(data, pyodide, port, memory)
  const globals = pyodide.toPy({ link, folder: pythonFolder })
  const status: unknown = pyodide.runPython(SERVE, { globals })
  // After a fatal error in a call from Python to JavaScript, Pyodide returns as if nothing had
  // happened.
  if (typeof status !== 'number') throw new Error('the interpreter ended in the middle of its work')
  link.exit(status)
}

const SERVE = `
import sys
sys.path.insert(0, folder)
import monoceros.embedded
sys.path.remove(folder)
monoceros.embedded.serve(link)
`

// Python's output is sent by `port`. What is written here is not read, so it would stay in memory.
process.stdout.write = process.stderr.write = () => true
// An unhandled rejection is not a reason to end. The thread does not return to its
// event loop in any case.
process.on('unhandledRejection', () => {})
try {
  await run()
} catch (error) {
  port.notify({ type: 'broken', failure: describeFailure(error) })
  process.exit(1)
}
