import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from './build.ts'
import { compilePythonSide } from './virtual-environment.ts'

const PYTHON_SIDE = join(repository, 'python')
const OLDEST = '3.9'

/** A Python that can run a worker. */
export interface Interpreter {
  path: string
  version: string
}

/** Asks an interpreter for its version; null when it is none, or too old to run a worker. */
function ask(path: string): Interpreter | null {
  try {
    const code = 'import sys; print(sys.executable); print("%d.%d" % sys.version_info[:2])'
    const run = spawnSync(path, ['-c', code], { encoding: 'utf8', timeout: 20_000 })
    const [executable, version] = run.stdout.trim().split('\n')
    return Number(version.split('.')[1]) >= 9 ? { path: executable, version } : null
  } catch {
    return null
  }
}

/**
 * The newest Python that PATH or pyenv offers, and the oldest that is supported if it is there too.
 * None if the suite runs without Python.
 */
export function interpreters(): Interpreter[] {
  if (process.env.MONOCEROS_SKIP_PYTHON === '1') return []
  const names = [
    'python3',
    'python3.9',
    'python3.10',
    'python3.11',
    'python3.12',
    'python3.13',
    'python3.14',
  ]
  // pyenv's shims are slow, and lead to the versions that are found below.
  const folders = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '' && !/[/\\]shims$/.test(folder))
  const candidates = folders.flatMap((folder) => names.map((name) => join(folder, name)))
  const versions = join(process.env.PYENV_ROOT ?? join(homedir(), '.pyenv'), 'versions')
  if (existsSync(versions)) {
    candidates.push(
      ...readdirSync(versions).map((version) => join(versions, version, 'bin/python3')),
    )
  }
  const found = new Map<string, Interpreter>()
  for (const path of candidates.filter((candidate) => existsSync(candidate))) {
    const interpreter = ask(path)
    if (interpreter !== null && !found.has(interpreter.version))
      found.set(interpreter.version, interpreter)
  }
  const minor = (each: Interpreter) => Number(each.version.split('.')[1])
  const sorted = [...found.values()].sort((a, b) => minor(b) - minor(a))
  const oldest = found.get(OLDEST)
  return oldest === undefined || sorted[0] === oldest ? sorted.slice(0, 1) : [sorted[0], oldest]
}

/** Declares the tests that run the unit tests of the Python side on each interpreter. */
export function testPythonSide(chosen: readonly Interpreter[]): void {
  test.each(chosen)(
    'the Python side passes its own tests on Python $version',
    { timeout: 600_000 },
    ({ path, version }) => {
      // Hundreds of workers are started.
      compilePythonSide(path)
      const run = spawnSync(
        path,
        ['-W', 'error::ResourceWarning', '-m', 'unittest', 'discover', '-s', 'tests', '-t', '.'],
        {
          cwd: PYTHON_SIDE,
          encoding: 'utf8',
          env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
          timeout: 590_000,
        },
      )
      const summary = run.stderr.match(/Ran \d+ tests in [\d.]+s/)?.[0]
      console.log(`Python ${version} (${path}): ${summary ?? 'no tests ran'}`)
      expect(run.status === 0 ? '' : `${run.error ?? ''}${run.stdout}${run.stderr}`).toBe('')
      expect(summary).toBeDefined()
    },
  )

  test.each(chosen)('every file compiles on Python $version', ({ path }) => {
    const code =
      'import pathlib, sys; [compile(pathlib.Path(name).read_bytes(), name, "exec") for name ' +
      'in sys.argv[1:]]'
    const folder = join(PYTHON_SIDE, 'monoceros')
    const files = readdirSync(folder).filter((name) => name.endsWith('.py'))
    expect(files.length).toBeGreaterThan(5)
    const names = [
      ...files.map((name) => join(folder, name)),
      join(PYTHON_SIDE, 'monoceros-worker'),
    ]
    const run = spawnSync(path, ['-W', 'error', '-c', code, ...names], { encoding: 'utf8' })
    expect(run.stderr).toBe('')
  })
}
