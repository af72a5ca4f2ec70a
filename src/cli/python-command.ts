/** `monoceros python`: the embedded interpreter as a command. */
import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, resolve } from 'node:path'
import { isatty } from 'node:tty'
import { loadSettings } from '../config/load-settings.ts'
import { coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import type { TextOutput } from '../process/text-output.ts'
import { runProgram } from '../runtimes/pyodide/command/command.ts'
import type { Program } from '../runtimes/pyodide/command/command-link.ts'
import { ifMountable, parseMount, planMounts } from '../runtimes/pyodide/files/mounts.ts'
import { pythonFolder } from '../runtimes/pyodide/package.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { PYTHON_HELP, type PythonArguments, parsePythonArguments } from './python-arguments.ts'

/** What the command uses of the process around it; the program has its standard streams. */
export interface PythonContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdout: TextOutput
}

/**
 * Runs `monoceros python`.
 *
 * @param args the arguments after `python`
 * @returns the exit status: the program's, or one of `EXIT.python`
 * @throws SettingsError, MountError, BreakdownError: their messages are for the user
 */
export async function runPython(args: readonly string[], context: PythonContext): Promise<number> {
  const given = parsePythonArguments(args)
  if (given.program.kind === 'help') {
    context.stdout.write(PYTHON_HELP)
    return EXIT.python.ENDED
  }
  // As for the server, so that a config file's mounts and variables apply to its commands too.
  const { settings } = await loadSettings({
    args: given.own,
    env: context.env,
    cwd: context.cwd,
    // It configures a server, and needs another Python.
    findGunicorn: false,
  })
  const cwd = given.own.some((option) => option.startsWith('--chdir='))
    ? settings.chdir
    : context.cwd
  const environment = { ...environmentOf(context.env, given.isolated), ...settings.rawEnv }
  const script = given.program.kind === 'script' ? scriptAt(given.program.name, cwd) : null
  const mounts =
    given.program.kind === 'version'
      ? []
      : planMounts({
          // The root folder is never mounted as a whole.
          chdir: cwd === '/' ? (script?.folder ?? tmpdir()) : cwd,
          pythonPath: settings.pythonpath,
          temporary: tmpdir(),
          asked: [
            ...ifMountable(environment.PYTHONPATH?.split(delimiter) ?? [], cwd),
            ...ifMountable(script?.mounts ?? [], cwd),
            ...ifMountable([settings.chdir], cwd),
            ...settings.mounts.map((mount) => parseMount(mount, cwd)),
          ],
          own: [pythonFolder],
        })
  return await runProgram({
    mounts,
    environment,
    program: {
      kind: kindOf(given.program.kind),
      name: given.program.name,
      source: script?.source ?? null,
      args: given.args,
      cwd,
      folders: [...new Set([cwd, settings.chdir, ...(script === null ? [] : [script.folder])])],
      pythonpath: settings.pythonpath,
      terminals: { input: isatty(0), output: isatty(1), errors: isatty(2) },
      flags: given.flags,
    },
  })
}

/** Without a program there is a prompt, if standard input is a terminal. */
function kindOf(kind: PythonArguments['program']['kind']): Program['kind'] {
  if (kind === 'input' || kind === 'help') return isatty(0) ? 'prompt' : 'input'
  return kind
}

/** Variables for an installed Python, which do not apply to the embedded one. */
const FOREIGN = new Set(['PYTHONHOME', 'PYTHONEXECUTABLE', 'PYTHONPLATLIBDIR'])

function environmentOf(env: PythonContext['env'], isolated: boolean): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || FOREIGN.has(name) || (isolated && name.startsWith('PYTHON')))
      continue
    environment[name] = value
  }
  return environment
}

/** A script, and how the interpreter reads it. Paths are absolute. */
interface Script {
  readonly mounts: readonly string[]
  /** Its packages are found too, beside those of the working directory. */
  readonly folder: string
  /** Its text, if it is not a regular file (`/dev/fd/63`). */
  readonly source: string | null
}

function scriptAt(name: string, cwd: string): Script {
  const path = resolve(cwd, name)
  try {
    const status = statSync(path)
    if (status.isDirectory()) return { mounts: [path], folder: path, source: null }
    if (!status.isFile()) return { mounts: [], folder: cwd, source: readFileSync(path, 'utf8') }
    accessSync(path, constants.R_OK)
    const folder = dirname(realpathSync(path))
    // The folder for files beside the script; the file in case its folder cannot be mounted.
    return { mounts: [path, dirname(path), folder], folder, source: null }
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : reason(error)
    throw new SettingsError(
      'bad-arguments',
      coded('MONO7001', `python: cannot open ${path}: ${why}`),
    )
  }
}

/** `EACCES: permission denied, access '/x'` → `permission denied` */
function reason(error: unknown): string {
  return (error as Error).message.replace(/^\w+: /, '').replace(/, \w+ '.*$/, '')
}
