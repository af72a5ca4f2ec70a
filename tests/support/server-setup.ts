import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { build, buildIsStale, repository } from './build.ts'
import { withDirectoryLock } from './directory-lock.ts'
import { interpreterCache, prepareInterpreterCache } from './interpreter-cache.ts'
import { useTemporaryFolder } from './temporary-folder.ts'
import {
  compilePythonSide,
  ensureVirtualEnvironment,
  findBasePython,
} from './virtual-environment.ts'
import './python.ts'

/**
 * Prepares what the tests with a server need: a compiled server that is not older than its sources,
 * a snapshot of the embedded interpreter, and a Python virtual environment with the frameworks of
 * tests/requirements.txt. Each is made when it is missing or stale, by one process at a time. All
 * temporary files go into one folder.
 *
 * - `MONOCEROS_TEST_PYTHON`: the Python to use (default: python3 on PATH).
 * - `MONOCEROS_SKIP_PYTHON=1`: run without Python, skipping what needs it. Refused on CI.
 */
export async function setup(project: TestProject): Promise<() => void> {
  const remove = useTemporaryFolder()
  await prepare(project, process.env)
  return remove
}

async function prepare(project: TestProject, env: NodeJS.ProcessEnv): Promise<void> {
  await withDirectoryLock(join(repository, 'tests', '.venv.lock'), () => {
    if (!buildIsStale()) return
    try {
      build()
    } catch (error) {
      // The compiler emits what it can in spite of type errors, which is good enough while somebody
      // is at work; for `npm test` and CI a build that fails is a failure.
      if (env.CI) throw error
      const lines = String(error instanceof Error ? error.message : error).split('\n')
      console.warn(`\n*** ${lines.slice(0, 5).join('\n')}\n*** Going on with what was emitted.\n`)
    }
  })

  // The snapshot is made beside the virtual environment: each takes one processor for a while.
  const snapshot = withDirectoryLock(
    join(repository, 'tests', '.cache.lock'),
    prepareInterpreterCache,
  )
  await Promise.all([snapshot, preparePython(project, env)])
  env.MONOCEROS_CACHE = interpreterCache
}

async function preparePython(project: TestProject, env: NodeJS.ProcessEnv): Promise<void> {
  if (env.MONOCEROS_SKIP_PYTHON === '1') {
    if (env.CI) {
      throw new Error(
        'MONOCEROS_SKIP_PYTHON is not for CI: the suite proves nothing without Python.',
      )
    }
    console.warn(
      '\n*** MONOCEROS_SKIP_PYTHON=1: every test that serves a Python application is SKIPPED.' +
        '\n*** That is most of what Monoceros does; a green run says little.\n',
    )
    project.provide('testPython', null)
    return
  }

  const base = findBasePython(env)
  const series = base.version.split('.').slice(0, 2).join('.')
  // A Python that was asked for by name gets a place of its own, so that trying several does not
  // rebuild each time.
  const directory = join(
    repository,
    'tests',
    env.MONOCEROS_TEST_PYTHON ? `.venv-${series}` : '.venv',
  )
  const requirements = join(repository, 'tests', 'requirements.txt')
  const python = await withDirectoryLock(`${directory}.lock`, () => {
    compilePythonSide(base.executable)
    return ensureVirtualEnvironment(base, directory, requirements)
  })
  project.provide('testPython', python)
}
