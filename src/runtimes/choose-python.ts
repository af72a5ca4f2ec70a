import { findSystemPython, type Interpreter, InterpreterError } from './cpython/interpreter.ts'
import { preloadedWorkers } from './cpython/preload.ts'
import { workerProcesses } from './cpython/worker-process.ts'
import type { Python, PythonRequest } from './python.ts'

export type { Python }

/**
 * Finds the Python to use.
 * @throws InterpreterError, MountError; Error if the embedded interpreter's files are unreadable
 */
export async function choosePython(request: PythonRequest): Promise<Python> {
  if (request.runtime === 'pyodide') return await (await loadEmbedded())(request, null)
  const { python, chdir, rawEnv, option } = request
  try {
    return installed(
      request,
      await findSystemPython(python, chdir, { ...process.env, ...rawEnv }, option),
    )
  } catch (error) {
    if (!(error instanceof InterpreterError) || request.runtime !== 'auto' || python !== null)
      throw error
    return await (await loadEmbedded())(request, error.message)
  }
}

function installed(
  { rawEnv, directory, sockets = directory }: PythonRequest,
  interpreter: Interpreter,
): Python {
  const options = { interpreter, environment: rawEnv, directory, sockets }
  return {
    runtime: 'cpython',
    executable: interpreter.executable,
    start: workerProcesses(options),
    preload: preloadedWorkers(options),
    insteadOf: null,
    settle: () => {},
  }
}

/** Only where it is needed: its modules take memory and time. */
async function loadEmbedded(): Promise<typeof import('./embedded-python.ts').embeddedPython> {
  return (await import('./embedded-python.ts')).embeddedPython
}
