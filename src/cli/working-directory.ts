import { realpathSync, statSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import type { Settings } from '../settings/table.ts'

/**
 * The working directory by the name in the user's shell: `$PWD`, if that is the same folder.
 *
 * The kernel reports its name without links. But if a server is started in `/srv/current`, a link
 * that will lead to another release later, the link is meant.
 */
export function workingDirectory(
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const { PWD: given } = environment
  if (given === undefined || !isAbsolute(given)) return process.cwd()
  return isSameFolder(given, '.') ? given : process.cwd()
}

/** Enters a working directory again, whose name may lead to another folder now. */
export function enterAgain(directory: string): void {
  try {
    process.chdir(directory)
  } catch {
    // Reported by the next step that needs the folder.
  }
}

/**
 * Resolves the links in the application's folders. Replaced workers then never start from another
 * release than the others. A reload reads the settings again, and sees that they have changed.
 */
export function withRealFolders(settings: Settings): Settings {
  return { ...settings, chdir: real(settings.chdir), pythonpath: settings.pythonpath.map(real) }
}

function real(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder // reported by the next step that needs the folder
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
