/** `monoceros install`: installs Python packages without an installed Python. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import { Interruption } from '../process/interruption.ts'
import { printable } from '../process/printable.ts'
import type { TextOutput } from '../process/text-output.ts'
import { InstallError } from './install-error.ts'
import { InstallFolder, LOCK_FILE_NAME } from './install-folder.ts'
import { type InstallOptions, installHelp, parseInstallOptions } from './install-options.ts'
import { InstallProgress } from './install-progress.ts'
import { report, reportSatisfied, reportUpToDate, shownPath } from './install-report.ts'
import { requestOf } from './install-request.ts'
import { runThread } from './install-thread.ts'
import { packageChanges, packagesIn } from './package-changes.ts'

/** What the command uses of the process around it. */
export interface InstallContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdout: TextOutput
  readonly stderr: TextOutput
}

/**
 * Runs `monoceros install`.
 *
 * @param args the arguments after `install`
 * @returns the exit status, one of `EXIT.install`. If it is not 0, nothing has changed on the disk.
 */
export async function runInstall(
  args: readonly string[],
  context: InstallContext,
): Promise<number> {
  const { stdout, stderr } = context
  try {
    const options = parseInstallOptions(args)
    if (options.help) {
      stdout.write(installHelp())
      return EXIT.install.DONE
    }
    return await install(context, options)
  } catch (error) {
    if (error instanceof InstallError) {
      stderr.write(`monoceros install: ${printable(error.message)}\n`)
      return error.code === 'usage' ? EXIT.install.USAGE : EXIT.install.FAILED
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const text = `unexpected error, please report it: ${printable(stack.slice(0, 4000))}`
    stderr.write(`monoceros install: ${coded('MONO5902', text)}\n`)
    return EXIT.install.FAILED
  }
}

async function install(context: InstallContext, options: InstallOptions): Promise<number> {
  const interruption = new Interruption()
  let folder: InstallFolder | undefined
  try {
    checkLocked(context, options)
    const done =
      options.locked && !options.again ? InstallFolder.upToDate(options.target, context.cwd) : null
    if (done !== null) {
      if (options.verbosity >= 0) reportUpToDate(context, done)
      return EXIT.install.DONE
    }
    const request = requestOf(options, context)
    const satisfied =
      request === null ? null : InstallFolder.satisfies(request, options.target, context.cwd)
    if (satisfied !== null) {
      if (options.verbosity >= 0) reportSatisfied(context, satisfied)
      return EXIT.install.DONE
    }
    folder = InstallFolder.take(options.target, context.cwd, options.locked)
    const progress = new InstallProgress(
      (text) => context.stderr.write(text),
      context.stderr.columns ?? null,
      options.verbosity < 0,
    )
    const lock = folder.readLock()
    if (options.locked && lock === null) throw noLock(folder.lockFile)
    const started = performance.now()
    progress.take({ kind: 'step', text: 'Starting Python' })
    const outcome = await runThread(context, { options, folder, lock, progress, interruption })
    progress.clear()
    if (outcome === null) {
      const text = `interrupted; ${shownPath(folder.target, context.cwd)} is unchanged`
      context.stderr.write(`monoceros install: ${coded('MONO7108', text)}\n`)
      return interruption.exitStatus
    }
    if (outcome.error !== undefined) {
      const { adviceOnBuilds } = await import('./pyodide-builds.ts')
      throw new InstallError(
        'failed',
        coded('MONO7103', outcome.error + adviceOnBuilds(outcome.error)),
      )
    }
    const changes = packageChanges(packagesIn(folder.target), packagesIn(folder.stage))
    const whole = outcome.unlocked.length === 0
    if (outcome.installed.length > 0 || options.locked) folder.commit(outcome.lock, whole, request)
    else {
      if (lock !== outcome.lock && outcome.present > 0) folder.commitLock(outcome.lock)
      if (request !== null) folder.remember(request)
    }
    const seconds = (performance.now() - started) / 1000
    report(context, options, { folder, outcome, changes, seconds })
    return EXIT.install.DONE
  } finally {
    interruption.end()
    folder?.release()
  }
}

/** Without anything to install there must be a lock file; checked before anything is made. */
function checkLocked(context: InstallContext, options: InstallOptions): void {
  const lockFile = join(resolve(context.cwd, options.target), '..', LOCK_FILE_NAME)
  if (options.locked && !existsSync(lockFile)) throw noLock(lockFile)
}

function noLock(lockFile: string): InstallError {
  return new InstallError(
    'usage',
    coded(
      'MONO7101',
      'nothing to install: name packages, give a requirements file with -r, or provide a lock ' +
        'file ' +
        `(${lockFile} does not exist)`,
    ),
  )
}
