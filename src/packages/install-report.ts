/** What `monoceros install` prints when it is done. */
import { relative } from 'node:path'
import { coded } from '../messages/coded.ts'
import { printable } from '../process/printable.ts'
import type { TextOutput } from '../process/text-output.ts'
import type { InstallFolder } from './install-folder.ts'
import type { InstallOutcome } from './install-job.ts'
import type { InstallOptions } from './install-options.ts'
import { normalized, type PackageChanges } from './package-changes.ts'

/** Where a report goes. */
export interface ReportTarget {
  readonly cwd: string
  readonly stdout: TextOutput
  readonly stderr: TextOutput
}

/** An installation that has succeeded. */
export interface FinishedInstallation {
  readonly folder: InstallFolder
  readonly outcome: Exclude<InstallOutcome, { error: string }>
  /** What is different from before. */
  readonly changes: PackageChanges
  readonly seconds: number
}

/** Prints what an installation has done. */
export function report(
  { stdout, stderr, cwd }: ReportTarget,
  { verbosity, locked }: InstallOptions,
  { folder, outcome, changes, seconds }: FinishedInstallation,
): void {
  for (const warning of outcome.warnings)
    stderr.write(`monoceros: warning: ${coded('MONO7109', printable(warning))}\n`)
  const where = shownPath(folder.target, cwd)
  const lockFile = shownPath(folder.lockFile, cwd)
  if (outcome.unlocked.length > 0)
    stderr.write(
      `monoceros: warning: ${coded(
        'MONO7109',
        `not in ${lockFile}, because something else has installed them: ` +
          `${printable(outcome.unlocked.join(', '))}`,
      )}\n`,
    )
  if (verbosity < 0) return
  const names = outcome.installed.map(([name, version]) => {
    const before = changes.before.get(normalized(name))
    return `${name} ${version}${before === undefined ? '' : ` (was ${before})`}`
  })
  if (changes.removed.length > 0) {
    const gone = changes.removed.map(({ name, version }) => `${name} ${version}`).join(', ')
    stdout.write(`Removed from ${where}: ${printable(gone)}\n`)
  }
  if (names.length === 0) {
    stdout.write(
      locked
        ? `Nothing to do: ${lockFile} is empty\n`
        : `Nothing to do: the requirements are already satisfied in ${where}\n`,
    )
    return
  }
  const count = names.length === 1 ? '1 package' : `${names.length} packages`
  stdout.write(
    `Installed ${count} in ${where} (${seconds.toFixed(1)} s): ${printable(names.join(', '))}\n`,
  )
  if (outcome.stripped.length > 0)
    stdout.write(
      'Installed without their compiled parts, which only make them faster: ' +
        `${printable(outcome.stripped.join(', '))}\n`,
    )
  if (!locked) stdout.write(`Versions and hashes are in ${lockFile}\n`)
}

/** Prints that an installation is not necessary. */
export function reportUpToDate(
  { stdout, cwd }: ReportTarget,
  { target, lockFile }: InstallFolder,
): void {
  stdout.write(`Nothing to do: ${shownPath(target, cwd)} matches ${shownPath(lockFile, cwd)}\n`)
}

/** Prints that the same packages were asked for before, and are there. */
export function reportSatisfied({ stdout, cwd }: ReportTarget, { target }: InstallFolder): void {
  stdout.write(
    `Nothing to do: the requirements are already satisfied in ${shownPath(target, cwd)}\n`,
  )
}

/** A path for messages: relative if it is inside the working directory. */
export function shownPath(path: string, cwd: string): string {
  const short = relative(cwd, path)
  return short === '' || short.startsWith('..') ? path : short
}
