import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'
import { builtOnce, type Product } from './built-once.ts'

/** The programs of packages/wheel/requirements.txt. */
export const wheelTools = join(repository, 'dist-python', 'tools', 'bin')

const PYTHON_PACKAGE: Product = {
  name: 'wheel',
  // The lock files stand for the dependencies in the bundle.
  sources: [
    ...['dist', 'python', 'packages/wheel', 'scripts', 'package.json', 'LICENSE'],
    ...['package-lock.json', 'node_modules/.package-lock.json'],
  ],
  // They are in a folder of their own, which somebody may have removed.
  isComplete: () => existsSync(wheelTools),
  make: async (folder) => {
    const script = join(repository, 'scripts', 'wheel.mjs')
    const args = [script, '--target', folder]
    await promisify(execFile)(process.execPath, args, { cwd: repository })
  },
}

let making: Promise<string> | undefined

/**
 * Makes the Python package of the build that is under test, and the tools for it, unless a test has
 * done so.
 *
 * @returns the folder with its wheel and its sdist
 */
export function builtWheel(): Promise<string> {
  making ??= builtOnce(PYTHON_PACKAGE)
  return making
}
