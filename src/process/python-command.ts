/**
 * How the command learns that the Python package of Monoceros has started it: `pip install
 * monoceros` brings a command in Python, which becomes this one (`python/monoceros/command.py`).
 */

/** In the environment: a {@link PythonCommand} as JSON. */
const VARIABLE = 'MONOCEROS_PYTHON_COMMAND'

/** What the command in Python says. */
export interface PythonCommand {
  /** The interpreter that the package is installed for: that of workers, unless one is named. */
  readonly executable: string
  /** The arguments of `monoceros.run`, by their names there; empty for the command. */
  readonly settings: Readonly<Record<string, unknown>>
  /**
   * A descriptor whose other end the process has that called `monoceros.run`: when that process is
   * gone, this one is at its end. Null for the command.
   */
  readonly channel: number | null
}

let known: PythonCommand | null = null

/**
 * What the environment says of the command in Python; to be called once, by the command.
 *
 * @returns null if the command was started otherwise
 */
export function readPythonCommand(
  env: Readonly<Record<string, string | undefined>>,
): PythonCommand | null {
  const { [VARIABLE]: text } = env
  known = text === undefined ? null : parse(text)
  return known
}

/** Takes it from the environment, so that no process of the application sees it. */
export function forgetPythonCommand(env: Record<string, string | undefined>): void {
  delete env[VARIABLE]
}

/** The interpreter that the Python package is installed for; null without that package. */
export function packagePython(): string | null {
  return known?.executable ?? null
}

function parse(text: string): PythonCommand | null {
  try {
    const { executable, settings = {}, channel = null } = JSON.parse(text) as PythonCommand
    return typeof executable === 'string' ? { executable, settings, channel } : null
  } catch {
    return null
  }
}
