import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { CodedError, coded } from '../../messages/coded.ts'

/** A Python that can run workers. */
export interface Interpreter {
  /** What is started: a path, or a name found on PATH. */
  readonly command: string
  /** `3.11.7` */
  readonly version: string
  /** `CPython` */
  readonly implementation: string
  /** The path that Python itself gives. */
  readonly executable: string
}

/** No usable Python was found. `message` says what was tried and what to do. */
export class InterpreterError extends CodedError {
  readonly code = 'no-interpreter'
}

const OLDEST = [3, 9] as const
// Runs on any Python 3 and most versions of 2, so that the message can name an old version.
// With -c, Python searches the working directory first, where a file may be called types.py.
const PROBE =
  'import sys; sys.path = [p for p in sys.path if p]; import platform; ' +
  'print("|".join([platform.python_version(), ' +
  'platform.python_implementation(), sys.executable or ""]))'

/**
 * Finds the system's Python to use: `asked`, or else the one in `$VIRTUAL_ENV`, in `.venv` of the
 * application's folder, or `python3` on PATH.
 *
 * @param asked the setting `python`: a path or a name, or null
 * @param directory the application's folder
 * @param option the name of that setting in messages
 * @throws InterpreterError
 */
export async function findSystemPython(
  asked: string | null,
  directory: string,
  environment: NodeJS.ProcessEnv = process.env,
  option = '--python',
): Promise<Interpreter> {
  const tried: string[] = []
  for (const { command, because, needsFile } of candidates(asked, directory, environment, option)) {
    if (needsFile && !existsSync(command)) {
      tried.push(`${command} (${because}): ${await whyMissing(command)}`)
      continue
    }
    const found = await probe(command, environment)
    if (typeof found !== 'string') return found
    tried.push(`${command} (${because}): ${found}`)
  }
  const wanted = `Python ${OLDEST.join('.')} or newer`
  const list = tried.map((line) => `  - ${line}`).join('\n')
  throw new InterpreterError(
    asked === null
      ? coded(
          'MONO2031',
          `No ${wanted} was found. Tried:\n${list}\n` +
            `Install one, or choose one with ${option}${option.startsWith('-') ? ' PATH' : ''}.`,
        )
      : coded(
          'MONO2032',
          `The interpreter given with ${option} cannot be used (${wanted} is needed):\n${list}`,
        ),
  )
}

async function whyMissing(path: string): Promise<string> {
  const error = await stat(path).catch((error: NodeJS.ErrnoException) => error)
  return 'code' in error && error.code === 'EACCES'
    ? `the user with the id ${process.getuid?.()} may not read its folder, or that of its target`
    : 'there is no such file'
}

interface Candidate {
  readonly command: string
  readonly because: string
  readonly needsFile: boolean
}

function candidates(
  asked: string | null,
  directory: string,
  environment: NodeJS.ProcessEnv,
  option: string,
): Candidate[] {
  if (asked !== null) {
    const isPath = asked.includes('/')
    const command = isPath && !isAbsolute(asked) ? resolve(asked) : asked
    return [{ command, because: option, needsFile: isPath }]
  }
  const list: Candidate[] = []
  if (environment.VIRTUAL_ENV) {
    list.push({
      command: join(environment.VIRTUAL_ENV, 'bin', 'python'),
      because: '$VIRTUAL_ENV',
      needsFile: true,
    })
  }
  const local = join(directory, '.venv', 'bin', 'python')
  list.push({ command: local, because: '.venv in the working directory', needsFile: true })
  list.push({ command: 'python3', because: 'on PATH', needsFile: false })
  return list
}

/**
 * Whether there is anything that {@link findSystemPython} would try without `asked`. Starts
 * nothing.
 */
export function mayFindInterpreter(directory: string, environment: NodeJS.ProcessEnv): boolean {
  const folders = (environment.PATH ?? '').split(delimiter)
  return candidates(null, directory, environment, '').some(({ command, needsFile }) =>
    needsFile ? existsSync(command) : folders.some((folder) => existsSync(join(folder, command))),
  )
}

/** The interpreter, or why it cannot be used. */
function probe(command: string, environment: NodeJS.ProcessEnv): Promise<Interpreter | string> {
  return new Promise((resolveProbe) => {
    execFile(
      command,
      ['-c', PROBE],
      { env: environment, timeout: 30_000 },
      (error, stdout, stderr) => {
        if (error !== null) {
          const missing = (error as NodeJS.ErrnoException).code === 'ENOENT'
          const last = stderr.trim().split('\n').at(-1)
          resolveProbe(
            missing ? 'not found' : `it does not run (${last || error.message.split('\n')[0]})`,
          )
          return
        }
        const [version = '', implementation = '', executable = ''] = stdout.trim().split('|')
        const [major, minor] = version.split('.').map(Number)
        if (!(major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]))) {
          resolveProbe(`it is Python ${version}`)
          return
        }
        resolveProbe({ command, version, implementation, executable: executable || command })
      },
    )
  })
}
