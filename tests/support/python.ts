import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { inject } from 'vitest'

/**
 * The interpreter of the suite's own virtual environment, with everything of
 * tests/requirements.txt.
 */
export interface TestPython {
  /** Path of the python3 inside the virtual environment. */
  executable: string
  /** Its version, e.g. `3.11.7`. */
  version: string
  /** The virtual environment's directory. */
  prefix: string
}

declare module 'vitest' {
  interface ProvidedContext {
    /** null when the suite runs without Python (MONOCEROS_SKIP_PYTHON=1). */
    testPython: TestPython | null
  }
}

/** False only when MONOCEROS_SKIP_PYTHON=1 asked for it: `describe.skipIf(!hasPython())`. */
export function hasPython(): boolean {
  return inject('testPython') !== null
}

/**
 * The interpreter to serve Python applications with; throws in a suite that runs without Python.
 */
export function testPython(): TestPython {
  const python = inject('testPython')
  if (!python) {
    throw new Error('this test needs Python; guard it with describe.skipIf(!hasPython())')
  }
  return python
}

/** The folder of the virtual environment that has the frameworks. */
export function sitePackages(): string {
  const { prefix, version } = testPython()
  return join(prefix, 'lib', `python${version.split('.').slice(0, 2).join('.')}`, 'site-packages')
}

/**
 * Runs a piece of Python in the virtual environment and returns its standard output.
 *
 * @param code What `python3 -c` is to run.
 * @param args The program's arguments, `sys.argv[1:]`.
 */
export function runPython(code: string, ...args: string[]): string {
  return execFileSync(testPython().executable, ['-c', code, ...args], { encoding: 'utf8' })
}
