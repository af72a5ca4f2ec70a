import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './build.ts'
import type { TestPython } from './python.ts'

/** The Python that the virtual environment is made from. */
export interface BasePython {
  executable: string
  version: string
}

/**
 * Finds the Python to test with: `MONOCEROS_TEST_PYTHON`, or else `python3` on PATH.
 * Throws, saying what was tried, when there is none or it is older than 3.9.
 */
export function findBasePython(env: NodeJS.ProcessEnv = process.env): BasePython {
  const command = env.MONOCEROS_TEST_PYTHON || 'python3'
  const origin = env.MONOCEROS_TEST_PYTHON ? 'MONOCEROS_TEST_PYTHON' : 'PATH'
  let answer: string
  try {
    answer = execFileSync(
      command,
      ['-c', 'import sys; print(sys.executable); print("%d.%d.%d" % sys.version_info[:3])'],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    )
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new Error(
      `The test suite needs Python >= 3.9, and running ${command} (from ${origin}) failed: ` +
        `${reason}`,
    )
  }
  const [executable = '', version = ''] = answer.trim().split('\n')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < 3 || (major === 3 && minor < 9)) {
    throw new Error(
      `The test suite needs Python >= 3.9, and ${executable} (from ${origin}) is ${version}. ` +
        'Set MONOCEROS_TEST_PYTHON to a newer one.',
    )
  }
  return { executable, version }
}

/**
 * Makes the virtual environment from the requirements, unless the one that is there was made from
 * the same requirements and the same Python.
 *
 * @param directory Where it goes, e.g. `tests/.venv`.
 * @param requirements Path of the requirements file.
 */
export function ensureVirtualEnvironment(
  base: BasePython,
  directory: string,
  requirements: string,
): TestPython {
  const python: TestPython = {
    executable: join(directory, 'bin', 'python3'),
    version: base.version,
    prefix: directory,
  }
  const stamp = join(directory, 'made-from')
  const wanted = createHash('sha256')
    .update(readFileSync(requirements))
    .update(`\n${base.executable}\n${base.version}\n${directory}`)
    .digest('hex')
  if (
    existsSync(python.executable) &&
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === wanted
  ) {
    return python
  }

  console.log(`Making ${directory} with Python ${base.version} (${base.executable})`)
  rmSync(directory, { recursive: true, force: true })
  step(
    base.executable,
    ['-m', 'venv', directory],
    'On Debian and Ubuntu, install the package python3-venv.',
  )
  step(
    python.executable,
    [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--requirement',
      requirements,
    ],
    'Is the package index reachable from here?',
  )
  // Written last: a build that was cut short has no stamp and is made again.
  writeFileSync(stamp, wanted)
  return python
}

/**
 * Compiles the server's Python, unless it is: without byte code a worker needs 0.17 s for what it
 * imports, and 0.10 with it, and the environment may have PYTHONDONTWRITEBYTECODE. Python compares
 * byte code with the time and size of its source when it reads it.
 */
export function compilePythonSide(executable: string): void {
  const folder = join(repository, 'python', 'monoceros')
  step(executable, ['-m', 'compileall', '-q', folder], 'Is that folder writable?')
}

function step(command: string, args: string[], hint: string): void {
  try {
    execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')} failed. ${hint}\n${stdout}${stderr}`)
  }
}
