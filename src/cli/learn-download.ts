/**
 * Downloads the package of `monoceros learn` with the package manager at hand, and installs it
 * nowhere: npm keeps it in its cache, as what `npx` runs; what pip downloads is kept in the cache
 * of Monoceros.
 */
import { spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { CodedError, coded } from '../messages/coded.ts'
import type { Interruption } from '../process/interruption.ts'
import { printable } from '../process/printable.ts'
import { privateFolder } from '../process/private-folder.ts'
import type { TextOutput } from '../process/text-output.ts'
import { cacheFolder } from '../runtimes/pyodide/image/cache-folder.ts'
import { version } from '../settings/version.ts'
import { fits, inFolder } from './learn-package.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What a download needs of the process around it. */
export interface DownloadContext {
  readonly env: Environment
  readonly cwd: string
  readonly stderr: TextOutput
  readonly interruption: Interruption
}

/** A way to the package. */
export interface Downloader {
  /** What its user calls it. */
  readonly name: 'npm' | 'pip'
  /** @returns the folder of the package, if it was downloaded before; it asks no network */
  kept(): Promise<string | null>
  /**
   * @returns the folder of the package
   * @throws DownloadError
   */
  download(): Promise<string>
}

/** The package could not be downloaded, for the reason in the message. */
export class DownloadError extends CodedError {}

/** Of the package as it is downloaded; a test compares it with the packages. */
export const DOWNLOAD_MB = 16

const PACKAGE = `monoceros-learn@${version}`
const REQUIREMENT = `monoceros-learn==${version}`

/** @returns null if there is no npm */
export function npmDownloader(context: DownloadContext): Downloader | null {
  const folders = [dirname(process.execPath), ...(context.env.PATH ?? '').split(delimiter)]
  const npm = folders.map((folder) => join(folder, 'npm')).find(isProgram)
  if (npm === undefined) return null
  const run = (...options: string[]) =>
    runProgram(
      npm,
      [
        ...['exec', ...options, '--ignore-scripts', '--loglevel=error', '--no-progress'],
        ...['--no-update-notifier', '--no-fund', '--no-audit'],
        ...[`--package=${PACKAGE}`, '--', 'monoceros-learn', '--where'],
      ],
      { ...context, env: environmentForNpm(context.env, folders) },
    )
  return {
    name: 'npm',
    async kept() {
      const { status, stdout } = await run('--offline', '--yes=false')
      return status === 0 ? stdout.trim() : null
    },
    async download() {
      context.stderr.write(noteOn(PACKAGE, 'npm', "npm's cache"))
      const { status, stdout, stderr } = await run('--yes')
      if (status !== 0) throw failed('npm', stderr, `npm install ${PACKAGE}`)
      return stdout.trim()
    },
  }
}

/** @param python the interpreter whose pip is asked */
export function pipDownloader(python: string, context: DownloadContext): Downloader {
  // Code from there is run, so nobody else may write to it.
  const cache = cacheFolder(context.env, context.cwd)
  const folder = privateFolder(cache === null ? null : join(cache, 'learn'))
  const place = folder === null ? null : join(folder, version)
  return {
    name: 'pip',
    async kept() {
      const found = place === null ? null : inFolder(join(place, 'monoceros_learn'))
      return found !== null && fits(found) ? found.folder : null
    },
    async download() {
      const advice = `${python} -m pip install ${REQUIREMENT}`
      if (folder === null || place === null)
        throw failed('pip', 'there is no folder for it that only you can write to', advice)
      context.stderr.write(noteOn(REQUIREMENT, 'pip', place))
      const work = mkdtempSync(join(folder, 'new-'))
      try {
        const { status, stderr } = await runProgram(
          python,
          [
            ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input'],
            ...['--no-deps', '--no-compile', '--only-binary=:all:', '--no-user'],
            ...[`--target=${work}`, REQUIREMENT],
          ],
          { ...context, env: { ...context.env, PIP_REQUIRE_VIRTUALENV: '0' } },
        )
        if (status !== 0) throw failed('pip', stderr, advice)
        rmSync(place, { recursive: true, force: true })
        renameSync(work, place)
      } finally {
        rmSync(work, { recursive: true, force: true })
      }
      return join(place, 'monoceros_learn')
    },
  }
}

function noteOn(what: string, manager: string, place: string): string {
  return (
    `monoceros: note: downloading ${what} (${DOWNLOAD_MB} MB) with ${manager}, ` +
    `which is kept in ${place}\n`
  )
}

function failed(manager: string, output: string, advice: string): DownloadError {
  return new DownloadError(
    coded(
      'MONO1015',
      `learn: ${manager} could not download monoceros-learn: ${reasonIn(output)}. ` +
        `Try again with a network, or install it: ${advice}`,
    ),
  )
}

/** The line of what a package manager prints that has the reason. */
export function reasonIn(output: string): string {
  const lines = printable(output)
    .split('\n')
    .map((line) => line.replace(/^(npm (error|ERR!)|ERROR:|WARNING:)/, '').trim())
    .filter((line) => line !== '')
  const reason =
    lines.find((line) => /, reason: |connection broken by/.test(line)) ??
    lines.find((line) => /not found|no matching|no module named/i.test(line)) ??
    lines.find((line) => !/^(code|errno|syscall|path) /.test(line)) ??
    'it gives no reason'
  const plain = reason
    .replace(/^.*connection broken by '(.*)': \/\S+$/, '$1')
    .replace(/^\w+\(.* object at \w+>: (.*)'\)$/, '$1')
    .replace(/^(network|notarget|404|FetchError:) +/, '')
    .replace(/[.\s]+$/, '')
  return plain.length > 200 ? `${plain.slice(0, 197)}...` : plain
}

/**
 * What `npx` tells its programs by variables is about that run: what it calls, and which packages
 * that needs. The other settings of npm stay: the user's registry, proxy and cache.
 */
function environmentForNpm(env: Environment, folders: readonly string[]): Environment {
  const about =
    /^npm_config_(call|package|yes|workspaces?|include_workspace_root|global|location)$/i
  const kept = Object.entries(env).filter(([name]) => !about.test(name))
  // npm is a program of Node.js, and takes the one that it finds.
  return { ...Object.fromEntries(kept), PATH: folders.join(delimiter) }
}

/** How long an interrupted package manager may take to tidy up, in milliseconds. */
const PATIENCE_MS = 1000

interface Outcome {
  /** Null if a signal ended it. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. A signal that interrupts this process ends it, and its children. */
function runProgram(
  program: string,
  args: readonly string[],
  { cwd, env, interruption }: Omit<DownloadContext, 'stderr'>,
): Promise<Outcome> {
  return new Promise((resolve) => {
    // A process group of its own, so that Ctrl-C reaches it once and not twice.
    const child = spawn(program, args, {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const outcome = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        outcome[name] += text
      })
    const end = (signal: NodeJS.Signals) => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, signal)
    }
    const patience: NodeJS.Timeout[] = []
    child.on('error', (error) => resolve({ status: 1, stdout: '', stderr: error.message }))
    child.on('close', (status) => {
      for (const timer of patience) clearTimeout(timer)
      resolve({ status, ...outcome })
    })
    interruption.onSignal(() => {
      end('SIGINT')
      // npm waits for its download first, and takes a second signal to leave at once. If it were
      // killed, its lock would keep the next one waiting for a minute.
      patience.push(setTimeout(() => end('SIGTERM'), PATIENCE_MS))
      patience.push(setTimeout(() => end('SIGKILL'), PATIENCE_MS * 2))
    })
  })
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
