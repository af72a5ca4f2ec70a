/** `monoceros python`: the embedded interpreter as a command. */
import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, resolve } from 'node:path'
import { isatty } from 'node:tty'
import { EXIT } from '../process/exit-status.ts'
import type { TextOutput } from '../process/text-output.ts'
import { runProgram } from '../runtimes/pyodide/command/command.ts'
import type { Program } from '../runtimes/pyodide/command/command-link.ts'
import { type Mount, MountError, parseMount, planMounts } from '../runtimes/pyodide/files/mounts.ts'
import { pythonFolder } from '../runtimes/pyodide/package.ts'
import { loadSettings } from '../settings/load.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { type PythonArguments, parsePythonArguments, pythonHelp } from './python-arguments.ts'

/** What the command uses of the process around it; the program has its standard streams. */
export interface PythonContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdout: TextOutput
}

/**
 * Runs `monoceros python`.
 *
 * @param args the arguments behind `python`
 * @returns the exit status: the program's, or one of `EXIT.python`
 * @throws SettingsError, MountError, BreakdownError: their messages are for the user
 */
export async function runPython(args: readonly string[], context: PythonContext): Promise<number> {
  const given = parsePythonArguments(args)
  if (given.program.kind === 'help') {
    context.stdout.write(pythonHelp)
    return EXIT.python.ENDED
  }
  // Like the server, so that a config file's mounts and variables are those of its commands too.
  const { settings } = await loadSettings({ args: given.own, env: context.env, cwd: context.cwd })
  const cwd = given.own.some((option) => option.startsWith('--chdir='))
    ? settings.chdir
    : context.cwd
  const environment = { ...environmentOf(context.env, given.isolated), ...settings.rawEnv }
  const script = given.program.kind === 'script' ? scriptAt(given.program.name, cwd) : null
  const mounts =
    given.program.kind === 'version'
      ? []
      : planMounts({
          // Nothing of the root is visible but what is named.
          chdir: cwd === '/' ? (script?.folder ?? tmpdir()) : cwd,
          pythonPath: settings.pythonpath,
          temporary: tmpdir(),
          asked: [
            ...inPassing(environment.PYTHONPATH?.split(delimiter) ?? [], cwd),
            ...inPassing(script?.mounts ?? [], cwd),
            ...inPassing([settings.chdir], cwd),
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

/** Without a program there is a prompt, if somebody is there to see it. */
function kindOf(kind: PythonArguments['program']['kind']): Program['kind'] {
  if (kind === 'input' || kind === 'help') return isatty(0) ? 'prompt' : 'input'
  return kind
}

/** These variables are about a Python that is installed. */
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

/** Mounts for what nobody asked for in so many words: what cannot be mounted is left out. */
function inPassing(paths: readonly string[], cwd: string): Mount[] {
  const mounts: Mount[] = []
  for (const path of paths) {
    if (path === '') continue
    try {
      mounts.push({ ...parseMount(path, cwd), readOnly: false })
    } catch (error) {
      if (!(error instanceof MountError)) throw error
    }
  }
  return mounts
}

/** How the interpreter gets a script. Paths are absolute. */
interface Script {
  readonly mounts: readonly string[]
  /** Whose packages it has, beside the working directory's. */
  readonly folder: string
  /** Its text, where it is no file (`/dev/fd/63`). */
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
    // The folder for what lies beside it; the file itself where its folder cannot be mounted.
    return { mounts: [path, dirname(path), folder], folder, source: null }
  } catch (error) {
    const why =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : reason(error)
    throw new SettingsError('bad-arguments', `python: cannot open ${path}: ${why}`)
  }
}

/** `EACCES: permission denied, access '/x'` → `permission denied` */
function reason(error: unknown): string {
  return (error as Error).message.replace(/^\w+: /, '').replace(/, \w+ '.*$/, '')
}
