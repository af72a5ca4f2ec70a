import type { TestProject } from 'vitest/node'
import './python.ts'
import { useTemporaryFolder } from './temporary-folder.ts'

/**
 * Prepares the tests that run on Bun and Deno. The test that starts them has the build and the
 * virtual environment already, and passes the Python on in `MONOCEROS_RUNTIMES_PYTHON`, as JSON.
 */
export function setup(project: TestProject): () => void {
  project.provide('testPython', JSON.parse(process.env.MONOCEROS_RUNTIMES_PYTHON ?? 'null'))
  return useTemporaryFolder()
}
