import { coded } from '../messages/coded.ts'
import { InterpreterError } from './cpython/interpreter.ts'

/**
 * The embedded Python is needed, and its package is not installed or of another version. `message`
 * is one line, which says what to install.
 */
export class EmbeddedPackageError extends InterpreterError {
  /** The Python package of Monoceros has none, because its users have a Python. */
  static ofPip(): EmbeddedPackageError {
    return new EmbeddedPackageError(
      coded(
        'MONO1045',
        'The embedded Python is not part of the Python package: it comes with npm, ' +
          'npm install monoceros monoceros-pyodide',
      ),
    )
  }

  /**
   * @param needed the version of Monoceros, which the package must have too
   * @param found the version that is installed; null if there is none
   */
  static of(needed: string, found: string | null): EmbeddedPackageError {
    return new EmbeddedPackageError(
      found === null
        ? coded('MONO2033', 'The embedded Python is not installed: npm install monoceros-pyodide')
        : coded(
            'MONO2034',
            `The embedded Python is of version ${found}, and Monoceros of ${needed}: ` +
              `npm install monoceros-pyodide@${needed}`,
          ),
    )
  }
}

/**
 * Loads what runs on the embedded Python, where no other was found.
 *
 * @param insteadOf why no other can be used
 * @throws InterpreterError with both reasons if there is no embedded Python either
 */
export async function loadInstead<T>(insteadOf: Error, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof EmbeddedPackageError)) throw error
    throw new InterpreterError(coded('MONO2031', `${insteadOf.message}\n${error.message}`), {
      cause: error,
    })
  }
}
