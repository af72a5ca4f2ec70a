/** The installing thread: it runs `monoceros_pyodide.installer` in an embedded interpreter. */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { describeFailure } from '../runtimes/pyodide/failure.ts'
import { startInterpreter } from '../runtimes/pyodide/interpreter.ts'
import { pythonFolder } from '../runtimes/pyodide/package.ts'
import type {
  CallAnswer,
  InstallNotice,
  InstallOutcome,
  InstallThreadData,
  ThreadMessage,
} from './install-job.ts'

const data = workerData as InstallThreadData
const answered = new Int32Array(data.answered)

function tell(port: MessagePort, message: ThreadMessage): void {
  port.postMessage(message)
}

/** The `Host` of install_sockets.py. */
const host = {
  call(
    name: string,
    args: string,
    bytes: Uint8Array | null | undefined,
  ): [string, Uint8Array | null] {
    const seen = Atomics.load(answered, 0)
    tell(data.port, { type: 'call', name, arguments: args, data: bytes ?? null })
    Atomics.wait(answered, 0, seen)
    for (;;) {
      const message = receiveMessageOnPort(data.port)
      if (message !== undefined) {
        const answer = message.message as CallAnswer
        return [answer.json, answer.data]
      }
    }
  },
  tell(kind: string, args: string): void {
    const notice = { kind, ...JSON.parse(args) } as InstallNotice
    tell(data.port, { type: 'notice', notice })
  },
}

/** Shows what Python itself prints, which hints at a bug in Monoceros. */
function shown(bytes: Uint8Array): void {
  const text = new TextDecoder().decode(bytes).trimEnd()
  if (text !== '') tell(data.port, { type: 'notice', notice: { kind: 'said', text } })
}

async function install(): Promise<InstallOutcome> {
  const pyodide = await startInterpreter({
    image: data.image,
    mounts: data.mounts,
    environment: data.environment,
    stdout: shown,
    stderr: shown,
    memoryLimit: null,
    interruptBuffer: new Uint8Array(new SharedArrayBuffer(1)),
  })
  pyodide.registerJsModule('monoceros_install_host', host)
  pyodide.globals.set('install_job', JSON.stringify(data.job))
  const outcome: string = pyodide.runPython(`
import sys
sys.path.insert(0, ${JSON.stringify(pythonFolder)})
from pyodide.ffi import to_js
import monoceros_install_host
from monoceros_pyodide.installer import run
run(install_job, monoceros_install_host, to_js)
`)
  return JSON.parse(outcome) as InstallOutcome
}

let outcome: InstallOutcome
try {
  outcome = await install()
} catch (error) {
  // An uncaught error would print Pyodide's whole source to the terminal.
  const { reason, place } = describeFailure(error)
  outcome = { error: `the embedded Python failed: ${reason}${place === '' ? '' : `\n${place}`}` }
}
tell(data.port, { type: 'outcome', outcome })
data.port.close()
