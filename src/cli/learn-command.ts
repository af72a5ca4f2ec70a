/** `monoceros learn`: the documentation and its tutorial, which are a package of their own. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { coded } from '../messages/coded.ts'
import { EXIT } from '../process/exit-status.ts'
import { Interruption } from '../process/interruption.ts'
import type { PythonCommand } from '../process/python-command.ts'
import type { TextOutput } from '../process/text-output.ts'
import { SettingsError } from '../settings/settings-error.ts'
import { version } from '../settings/version.ts'
import { LEARN_HELP, type LearnArguments, parseLearnArguments } from './learn-arguments.ts'
import { DownloadError, npmDownloader, pipDownloader } from './learn-download.ts'
import { fits, installedLearn } from './learn-package.ts'

/** What the command uses of the process around it. */
export interface LearnContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly pythonCommand?: PythonCommand | null
  readonly stdout: TextOutput
  readonly stderr: TextOutput
}

/**
 * Prepares what `monoceros learn` serves.
 *
 * @param args the arguments after `learn`
 * @returns the arguments of the server, or an exit status if there is nothing to serve
 * @throws SettingsError if the arguments are wrong, or the package is missing and must not be
 * downloaded
 */
export async function prepareLearn(
  args: readonly string[],
  context: LearnContext,
): Promise<string[] | number> {
  const given = parseLearnArguments(args)
  if (given.help) {
    context.stdout.write(LEARN_HELP)
    return EXIT.learn.STOPPED
  }
  const folder = await provide(given, context)
  if (typeof folder === 'number') return folder
  const { learn } = await import(
    /* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */
    pathToFileURL(join(folder, 'learn.js')).href
  )
  return await learn(given, { ...context, env: process.env })
}

/**
 * Finds the package, or downloads it.
 *
 * @returns its folder, or an exit status if there is none
 */
async function provide(given: LearnArguments, context: LearnContext): Promise<string | number> {
  const interruption = new Interruption()
  try {
    const folder = await findPackage(given, context, interruption)
    return interruption.exitStatus || folder
  } catch (error) {
    if (interruption.exitStatus !== 0) return interruption.exitStatus
    if (!(error instanceof DownloadError)) throw error
    context.stderr.write(`monoceros: ${error.message}\n`)
    return EXIT.learn.FAILED
  } finally {
    interruption.end()
  }
}

/** @returns the folder of the package */
async function findPackage(
  given: LearnArguments,
  context: LearnContext,
  interruption: Interruption,
): Promise<string> {
  const python = context.pythonCommand?.executable ?? null
  const installed = installedLearn(context.cwd, python)
  if (installed !== null && fits(installed)) return installed.folder
  const forDownload = { ...context, interruption }
  const downloader =
    python === null ? npmDownloader(forDownload) : pipDownloader(python, forDownload)
  const kept = (await downloader?.kept()) ?? null
  // An interrupted search finds nothing, and then there is nothing to download either.
  if (kept !== null || interruption.exitStatus !== 0) return kept ?? ''
  if (downloader !== null && given.install) return await downloader.download()
  const why =
    installed === null
      ? `learn needs the package monoceros-learn`
      : `learn needs monoceros-learn ${version}, and ${installed.version} is installed`
  const instead = downloader === null ? 'there is no npm to download it' : '--no-install is given'
  const advice =
    python === null
      ? `npm install monoceros-learn@${version}`
      : `${python} -m pip install monoceros-learn==${version}`
  throw new SettingsError('unsupported', coded('MONO1014', `${why}, and ${instead}: ${advice}`))
}
