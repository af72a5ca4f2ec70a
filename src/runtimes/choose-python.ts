import { coded } from '../messages/coded.ts'
import { findSystemPython, type Interpreter, InterpreterError } from './cpython/interpreter.ts'
import { preloadedWorkers } from './cpython/preload.ts'
import { workerProcesses } from './cpython/worker-process.ts'
import { loadInstead } from './embedded-package-error.ts'
import type { Python, PythonRequest } from './python.ts'

export type { Python }

/**
 * Finds the Python to use.
 * @throws InterpreterError (EmbeddedPackageError if the embedded one was asked for), MountError;
 * Error if the embedded interpreter's files are unreadable
 */
export async function choosePython(request: PythonRequest): Promise<Python> {
  if (request.runtime === 'pyodide') return await (await loadEmbedded())(request, null)
  if (process.platform === 'win32')
    throw new InterpreterError(
      coded(
        'MONO1010',
        'A Python application does not run on Windows: its workers need unix sockets. Use the ' +
          'Windows Subsystem for Linux (WSL), or Docker.',
      ),
    )
  const { python, chdir, rawEnv, option } = request
  try {
    return installed(
      request,
      await findSystemPython(python, chdir, { ...process.env, ...rawEnv }, option),
    )
  } catch (error) {
    if (!(error instanceof InterpreterError) || request.runtime !== 'auto' || python !== null)
      throw error
    return await (await loadInstead(error, loadEmbedded))(request, error.message)
  }
}

function installed(
  { rawEnv, directory, sockets = directory, lending = false }: PythonRequest,
  interpreter: Interpreter,
): Python {
  const options = { interpreter, environment: rawEnv, directory, sockets, lending }
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
