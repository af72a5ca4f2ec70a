/** `monoceros install`: Python packages with no Python on the machine. */
import { existsSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MessageChannel, Worker } from 'node:worker_threads'
import { EXIT } from '../process/exit-status.ts'
import type { TextOutput } from '../process/text-output.ts'
import type { Mount } from '../runtimes/pyodide/files/mounts.ts'
import { cacheFolder } from '../runtimes/pyodide/image/cache-folder.ts'
import { loadImage } from '../runtimes/pyodide/image/image.ts'
import { STACK_MB } from '../runtimes/pyodide/memory-limit.ts'
import { pyodideVersion } from '../runtimes/pyodide/package.ts'
import { HostSockets } from './host-sockets.ts'
import { InstallError } from './install-error.ts'
import { InstallFolder, LOCK_FILE_NAME } from './install-folder.ts'
import type {
  CallAnswer,
  InstallJob,
  InstallOutcome,
  InstallThreadData,
  ThreadMessage,
} from './install-job.ts'
import { type InstallOptions, installHelp, parseInstallOptions } from './install-options.ts'
import { InstallProgress, plain } from './install-progress.ts'
import { PIP_RELEASE } from './pip-release.ts'

/** What the command uses of the process around it. */
export interface InstallContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly stdout: TextOutput
  readonly stderr: TextOutput
}

const SIGNALS = {
  SIGINT: EXIT.install.INTERRUPTED,
  SIGTERM: EXIT.install.TERMINATED,
  SIGHUP: EXIT.install.HANGUP,
} as const

/**
 * Runs `monoceros install`.
 *
 * @param args the arguments behind `install`
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
      stderr.write(`monoceros install: ${plain(error.message)}\n`)
      return error.code === 'usage' ? EXIT.install.USAGE : EXIT.install.FAILED
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    stderr.write(
      `monoceros install: unexpected error, please report it: ${plain(stack.slice(0, 4000))}\n`,
    )
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
    const outcome = await runThread(context, options, folder, lock, progress, interruption)
    progress.clear()
    if (outcome === null) {
      context.stderr.write(
        `monoceros install: interrupted; ${shownPath(folder.target, context.cwd)} is as it was\n`,
      )
      return interruption.exitStatus
    }
    if (outcome.error !== undefined) throw new InstallError('failed', outcome.error)
    const whole = outcome.unlocked.length === 0
    if (outcome.installed.length > 0 || options.locked) folder.commit(outcome.lock, whole)
    else if (lock !== outcome.lock && outcome.present > 0) folder.commitLock(outcome.lock)
    report(context, options, folder, outcome, (performance.now() - started) / 1000)
    return EXIT.install.DONE
  } finally {
    interruption.end()
    folder?.release()
  }
}

/** Before anything is made: with nothing to install, there is to be a lock file. */
function checkLocked(context: InstallContext, options: InstallOptions): void {
  const lockFile = join(resolve(context.cwd, options.target), '..', LOCK_FILE_NAME)
  if (options.locked && !existsSync(lockFile)) throw noLock(lockFile)
}

function noLock(lockFile: string): InstallError {
  return new InstallError(
    'usage',
    `nothing to install: name packages, or a requirements file with -r; or have a lock file (there is no ${lockFile})`,
  )
}

function report(
  { stdout, stderr, cwd }: InstallContext,
  { verbosity, locked }: InstallOptions,
  folder: InstallFolder,
  outcome: Exclude<InstallOutcome, { error: string }>,
  seconds: number,
): void {
  for (const warning of outcome.warnings) stderr.write(`monoceros: warning: ${plain(warning)}\n`)
  const where = shownPath(folder.target, cwd)
  const lockFile = shownPath(folder.lockFile, cwd)
  if (outcome.unlocked.length > 0)
    stderr.write(
      `monoceros: warning: not in ${lockFile}, for they were installed by something else: ${plain(outcome.unlocked.join(', '))}\n`,
    )
  if (verbosity < 0) return
  const names = outcome.installed.map(([name, version]) => `${name} ${version}`)
  if (names.length === 0) {
    stdout.write(
      `Nothing to do: ${locked ? `${lockFile} is empty` : `what is asked for is in ${where} already`}\n`,
    )
    return
  }
  const count = names.length === 1 ? '1 package' : `${names.length} packages`
  stdout.write(
    `Installed ${count} in ${where} (${seconds.toFixed(1)} s): ${plain(names.join(', '))}\n`,
  )
  if (outcome.stripped.length > 0)
    stdout.write(
      `Without their compiled parts, which only make them faster: ${plain(outcome.stripped.join(', '))}\n`,
    )
  if (!locked) stdout.write(`Versions and hashes are in ${lockFile}\n`)
}

function reportUpToDate(
  { stdout, cwd }: InstallContext,
  { target, lockFile }: InstallFolder,
): void {
  stdout.write(
    `Nothing to do: ${shownPath(target, cwd)} has exactly what is in ${shownPath(lockFile, cwd)}\n`,
  )
}

function shownPath(path: string, cwd: string): string {
  const short = relative(cwd, path)
  return short === '' || short.startsWith('..') ? path : short
}

/** The signals that end an installation; until `end` they do no more than that. */
class Interruption {
  exitStatus = 0
  readonly #listeners: (() => void)[] = []
  readonly #handlers = new Map<NodeJS.Signals, () => void>()

  constructor() {
    for (const [name, code] of Object.entries(SIGNALS) as [keyof typeof SIGNALS, number][]) {
      const handler = () => {
        this.exitStatus ||= code
        for (const listener of this.#listeners) listener()
      }
      this.#handlers.set(name, handler)
      process.on(name, handler)
    }
  }

  onEnd(listener: () => void): void {
    if (this.exitStatus !== 0) listener()
    else this.#listeners.push(listener)
  }

  end(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler)
  }
}

/** @returns null when it was interrupted */
async function runThread(
  context: InstallContext,
  options: InstallOptions,
  folder: InstallFolder,
  lock: string | null,
  progress: InstallProgress,
  interruption: Interruption,
): Promise<InstallOutcome | null> {
  const { env, cwd } = context
  const home = env.HOME || homedir()
  const own = ownFolder(cacheFolder({ ...env, HOME: home }, cwd))
  const pipCache = options.noCache
    ? null
    : ownFolder(pipCacheFolder(env, cwd, home, options.cacheDir))
  const job: InstallJob = {
    cwd,
    stage: folder.stage,
    temporary: folder.temporary,
    cache: own,
    pip: {
      filename: PIP_RELEASE.filename,
      sha256: PIP_RELEASE.sha256,
      compiled: `pip-${PIP_RELEASE.version}-pyodide-${pyodideVersion}.zip`,
    },
    arguments: pipArguments(options, pipCache),
    requirements: options.requirements,
    indexOptions: options.index,
    lock,
    lockFile: folder.lockFile,
    locked: options.locked,
    verbosity: options.verbosity,
  }
  const { port1: port, port2 } = new MessageChannel()
  const answered = new SharedArrayBuffer(4)
  const counter = new Int32Array(answered)
  const workerData: InstallThreadData = {
    job,
    image: await loadImage({ ...env }),
    // pip is run from our cache, so what it installs is not to get there by a link in the folder.
    mounts: mountsFor(
      folder,
      [own !== null && existsSync(join(own, job.pip.compiled)) ? null : own, pipCache].filter(
        (path) => path !== null,
      ),
    ),
    environment: environmentFor(env, home, folder.temporary),
    port: port2,
    answered,
  }
  const thread = new Worker(entry(), {
    workerData,
    transferList: [port2],
    stdout: true,
    stderr: true,
    // Options of V8's among ours would be refused.
    execArgv: [],
    resourceLimits: { stackSizeMb: STACK_MB },
  })
  const sockets = new HostSockets(env)
  try {
    return await new Promise<InstallOutcome | null>((resolve, reject) => {
      interruption.onEnd(() => resolve(null))
      port.on('message', (message: ThreadMessage) => {
        if (message.type === 'notice') progress.take(message.notice)
        else if (message.type === 'outcome') resolve(message.outcome)
        else
          void sockets
            .call(message.name, message.arguments, message.data)
            .then(({ json, data }) => {
              port.postMessage({ json: JSON.stringify(json), data } satisfies CallAnswer)
              Atomics.add(counter, 0, 1)
              Atomics.notify(counter, 0)
            })
      })
      thread.on('error', (error) =>
        reject(
          new InstallError(
            'failed',
            `the embedded Python failed: ${error.message.split('\n', 1)[0]}`,
          ),
        ),
      )
      thread.on('exit', () => resolve({ error: 'the embedded Python ended by itself' }))
    })
  } finally {
    sockets.close()
    port.close()
    await thread.terminate()
  }
}

/** The thread's program, from sources or from what was built of them. */
function entry(): URL {
  const extension = fileURLToPath(import.meta.url).endsWith('.ts') ? 'ts' : 'js'
  return new URL(`./install-entry.${extension}`, import.meta.url)
}

function pipArguments(options: InstallOptions, cache: string | null): string[] {
  const own = [
    '--only-binary=:all:',
    '--disable-pip-version-check',
    '--no-input',
    '--keyring-provider=disabled',
    '--progress-bar=off',
    cache === null ? '--no-cache-dir' : `--cache-dir=${cache}`,
  ]
  return [...own, ...options.pip]
}

/**
 * PIP_* settings that are about another place to install into, or about building: they do not apply
 * here.
 */
const MEANINGLESS =
  /^PIP_(TARGET|USER|PREFIX|ROOT|SRC|PYTHON|PLATFORM|ABI|IMPLEMENTATION|PYTHON_VERSION|NO_BINARY|ONLY_BINARY|PREFER_BINARY|EDITABLE|DRY_RUN|REPORT|LOG|LOG_FILE|ISOLATED|BUILD_CONSTRAINT|NO_BUILD_ISOLATION|USE_PEP517|CONFIG_SETTINGS|REQUIREMENT|REQUIREMENTS_FROM_SCRIPT|GROUP|PROGRESS_BAR|VERBOSE|QUIET|DEBUG)$/

/**
 * pip reads its own settings, proxies, `${VARIABLES}` in requirements files and .netrc, so it sees
 * the environment.
 */
function environmentFor(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
  temporary: string,
): Record<string, string> {
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && !MEANINGLESS.test(name) && !name.startsWith('PYTHON'))
      environment[name] = value
  }
  return { ...environment, HOME: home, TMPDIR: temporary, PIP_REQUIRE_VIRTUALENV: '0' }
}

/**
 * Where pip keeps what it downloads; null for nowhere. A setting of pip.conf's is not asked for.
 */
function pipCacheFolder(
  env: Readonly<Record<string, string | undefined>>,
  cwd: string,
  home: string,
  asked: string | null,
): string | null {
  if (asked !== null) return resolve(cwd, asked)
  // Whatever its value is: so it is with pip.
  if (env.PIP_NO_CACHE_DIR) return null
  if (env.PIP_CACHE_DIR) return resolve(cwd, env.PIP_CACHE_DIR)
  if (process.platform === 'darwin') return join(home, 'Library', 'Caches', 'pip')
  const { XDG_CACHE_HOME: base } = env
  return join(base && isAbsolute(base) ? base : join(home, '.cache'), 'pip')
}

/**
 * The folder, made if need be; null when somebody else can write to it, for what lies there is run.
 */
function ownFolder(path: string | null): string | null {
  if (path === null) return null
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const found = lstatSync(path)
    const own =
      found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0
    return own ? path : null
  } catch {
    return null
  }
}

/** What the interpreter has of its own, or what is of no use in it. */
const NOT_MOUNTED = new Set([
  'dev',
  'proc',
  'sys',
  'lib',
  'lib32',
  'lib64',
  'libx32',
  'bin',
  'sbin',
  'boot',
])

/**
 * pip may read wherever a requirements file or a setting points, as it could outside. It writes to
 * the copy of the folder and to its caches. Nothing of what is installed is run.
 */
function mountsFor(folder: InstallFolder, caches: readonly string[]): Mount[] {
  const readable = readdirSync('/')
    .filter((name) => !NOT_MOUNTED.has(name) && isFolder(`/${name}`))
    .map((name) => ({ path: `/${name}`, readOnly: true }))
  const writable = [folder.stage, folder.temporary, ...caches].map((path) => ({
    path,
    readOnly: false,
  }))
  return [...readable, ...writable]
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}
