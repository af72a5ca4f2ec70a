import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import { coded } from '../messages/coded.ts'
import { ownEntry } from '../own-files/own-files.ts'
import type { Interruption } from '../process/interruption.ts'
import { privateFolder } from '../process/private-folder.ts'
import { cacheFolder } from '../runtimes/pyodide/image/cache-folder.ts'
import { loadImage } from '../runtimes/pyodide/image/image.ts'
import { takeLastMessages } from '../runtimes/pyodide/last-messages.ts'
import { STACK_MB } from '../runtimes/pyodide/memory-limit.ts'
import { pyodideVersion } from '../runtimes/pyodide/package.ts'
import { HostSockets } from './host-sockets.ts'
import { InstallError } from './install-error.ts'
import type { InstallFolder } from './install-folder.ts'
import type {
  CallAnswer,
  InstallJob,
  InstallOutcome,
  InstallThreadData,
  ThreadMessage,
} from './install-job.ts'
import type { InstallOptions } from './install-options.ts'
import type { InstallProgress } from './install-progress.ts'
import { environmentFor, mountsFor, pipArguments, pipCacheFolder } from './pip-environment.ts'
import { PIP_RELEASE } from './pip-release.ts'

/** What the thread uses of the command's process. */
export interface ThreadContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

/** What to install, where, and what follows it. */
export interface Installation {
  readonly options: InstallOptions
  readonly folder: InstallFolder
  /** The text of the lock file; null if there is none. */
  readonly lock: string | null
  readonly progress: InstallProgress
  readonly interruption: Interruption
}

/**
 * Runs an installation in a thread with an embedded interpreter, over Node's sockets.
 *
 * @returns null if it was interrupted
 */
export async function runThread(
  { env, cwd }: ThreadContext,
  { options, folder, lock, progress, interruption }: Installation,
): Promise<InstallOutcome | null> {
  const home = env.HOME || homedir()
  const own = privateFolder(cacheFolder({ ...env, HOME: home }, cwd))
  const pipCache = options.noCache
    ? null
    : privateFolder(pipCacheFolder(env, cwd, home, options.cacheDir))
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
    // pip runs from our cache, so the cache must not be writable through a link in the folder.
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
  const thread = new Worker(ownEntry('packages/install-entry'), {
    workerData,
    transferList: [port2],
    stdout: true,
    stderr: true,
    // V8's options of this process would be refused.
    execArgv: [],
    resourceLimits: { stackSizeMb: STACK_MB },
  })
  const sockets = new HostSockets(env)
  try {
    return await new Promise<InstallOutcome | null>((resolve, reject) => {
      interruption.onSignal(() => resolve(null))
      const onMessage = (message: ThreadMessage) => {
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
      }
      port.on('message', onMessage)
      thread.on('error', (error) =>
        reject(
          new InstallError(
            'failed',
            coded('MONO7107', `the embedded Python failed: ${error.message.split('\n', 1)[0]}`),
          ),
        ),
      )
      thread.on('exit', () => {
        takeLastMessages(port, onMessage)
        resolve({ error: 'the embedded Python ended unexpectedly' })
      })
    })
  } finally {
    sockets.close()
    port.close()
    await thread.terminate()
  }
}
