/** How this process was started, so that another version of it can be started the same way. */
import { resolve } from 'node:path'

/** A command and its surroundings, as the user gave them. */
export interface StartCommand {
  /** `node`, which is looked up in `PATH` again, or the path by which Node was started. */
  readonly program: string
  readonly args: readonly string[]
  /** By the name that the user's shell has for it; a link may lead somewhere else by now. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * The command of this process. To be called early: the environment is copied.
 *
 * The paths keep their links, and a bare `node` is looked up when the command is used. So an
 * upgrade finds the Monoceros and the Node.js that are installed by then.
 *
 * @param cwd the working directory, by its name in the user's shell
 */
export function startCommand(cwd: string): StartCommand {
  const { argv0, execPath, execArgv, argv, env } = process
  // A process title or `exec -a` replaces the name by something that cannot be run.
  const isProgram = argv0.includes('/') || /^node\d*$/.test(argv0)
  const path = argv0.includes('/') ? resolve(cwd, argv0) : argv0
  return {
    program: isProgram ? path : execPath,
    args: [...execArgv, ...argv.slice(1)],
    cwd,
    env: { ...env },
  }
}
