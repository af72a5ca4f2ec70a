import { realpathSync, statSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import type { Settings } from '../settings/table.ts'

/**
 * The working directory by the name that the user's shell gave it: `$PWD`, where that leads to the
 * same folder.
 *
 * The kernel knows a folder, and its name without links. Whoever starts a server in `/srv/current`,
 * a link, and lets it lead to another release later on, means the link.
 */
export function workingDirectory(
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const { PWD: given } = environment
  if (given === undefined || !isAbsolute(given)) return process.cwd()
  return isSameFolder(given, '.') ? given : process.cwd()
}

/** Goes to where a working directory leads now; stays where that is nowhere. */
export function enterAgain(directory: string): void {
  try {
    process.chdir(directory)
  } catch {
    // Whatever needs it says so.
  }
}

/**
 * Settings whose application comes from where its folders lead now. Workers that are started later
 * on, in the place of others, are not to find another release there; a reload reads the settings
 * anew, and sees that they have changed.
 */
export function withRealFolders(settings: Settings): Settings {
  return { ...settings, chdir: real(settings.chdir), pythonpath: settings.pythonpath.map(real) }
}

function real(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder // whoever enters it says what is wrong
  }
}

function isSameFolder(one: string, other: string): boolean {
  try {
    const [first, second] = [one, other].map((path) => statSync(path, { bigint: true }))
    return first!.dev === second!.dev && first!.ino === second!.ino
  } catch {
    return false
  }
}
