/** A Python configuration on the embedded interpreter, where no Python is installed. */
import { availableParallelism, tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { coded, fromElsewhere } from '../messages/coded.ts'
import { BreakdownError, runProgram } from '../runtimes/pyodide/command/command.ts'
import { ifMountable, parseMount, planMounts } from '../runtimes/pyodide/files/mounts.ts'
import { pythonFolder } from '../runtimes/pyodide/package.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { type ConfigHost, type ConfigurationAnswer, contentsOf } from './config-host.ts'

/** What to run, and what it may see. */
export interface EmbeddedConfigOptions {
  /** An absolute path, or `python:MODULE`. */
  readonly location: string
  /** The names to read from it. Others are ignored. */
  readonly names: readonly string[]
  /** The working directory, which is also searched for modules. */
  readonly cwd: string
  /** The application's folder, whose packages can be imported too. */
  readonly chdir: string
  /** As in the setting `mounts`. */
  readonly mounts: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
}

/** A configuration that has run. No interpreter stays, so it has no hooks beside the arbiter. */
class EmbeddedConfiguration implements ConfigHost {
  readonly location: string
  readonly values: Readonly<Record<string, unknown>>
  readonly lines: Readonly<Record<string, number>>
  readonly hooks: readonly string[] = []
  readonly isGone = false

  constructor(answer: ConfigurationAnswer, location: string) {
    const contents = contentsOf(answer, location)
    this.location = contents.location
    this.values = contents.values
    this.lines = contents.lines
  }

  settle(): void {}

  logWith(): void {}

  tell(): void {}

  async call(): Promise<void> {}

  async close(): Promise<void> {}

  kill(): void {}
}

/**
 * Runs a configuration, once, in a thread of this process.
 *
 * @throws SettingsError `config-file` with the traceback if the file raises; MountError
 */
export async function runOnEmbedded(options: EmbeddedConfigOptions): Promise<ConfigHost> {
  const { location, names, cwd, chdir, env, signal } = options
  const beside = location.startsWith('python:') ? [] : [location, dirname(location)]
  let text: string | undefined
  let why = 'sys.exit() ended it'
  try {
    await runProgram({
      mounts: planMounts({
        // The root folder is never mounted as a whole.
        chdir: cwd === '/' ? tmpdir() : cwd,
        pythonPath: [],
        temporary: tmpdir(),
        asked: [
          ...ifMountable([...beside, chdir], cwd),
          ...options.mounts.map((mount) => parseMount(mount, chdir)),
        ],
        own: [pythonFolder],
      }),
      environment: env,
      answered: (given) => {
        text = given
      },
      signal,
      program: {
        kind: 'configuration',
        name: location,
        source: null,
        args: [...names, String(availableParallelism())],
        cwd,
        folders: [...new Set([cwd, chdir])],
        pythonpath: [],
        terminals: { input: false, output: true, errors: true },
        flags: PLAIN,
      },
    })
  } catch (error) {
    if (!(error instanceof BreakdownError)) throw error
    why = error.message
  }
  signal?.throwIfAborted()
  if (text === undefined)
    throw new SettingsError(
      'config-file',
      coded('MONO1106', `${location} could not be read: ${why}`),
    )
  const answer = JSON.parse(text) as ConfigurationAnswer
  if (answer.error !== undefined)
    throw new SettingsError('config-file', fromElsewhere(answer.error))
  return new EmbeddedConfiguration(answer, location)
}

const PLAIN = {
  unbuffered: false,
  inspect: false,
  quiet: false,
  safePath: false,
  noByteCode: true,
  warnings: [],
  options: [],
} as const
