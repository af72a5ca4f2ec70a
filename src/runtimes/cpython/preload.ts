/** Loads the application in one process, and forks the workers from it (`preload_app`). */
import type { WorkerHandle, WorkerSource, WorkerStarter } from '../workers/worker-handle.ts'
import type { PreloadJob } from '../workers/worker-options.ts'
import { PreloadParent } from './preload-parent.ts'
import type { PreloadOptions } from './worker-process.ts'

/** Makes what `WorkerOptions.preload` asks for, with an installed Python. */
export function preloadedWorkers(options: PreloadOptions): (job: PreloadJob) => WorkerSource {
  return (job) => new PreloadSource(options, job)
}

class PreloadSource implements WorkerSource {
  readonly #options: PreloadOptions
  readonly #job: PreloadJob
  #parent: PreloadParent | null = null
  #retired = false

  constructor(options: PreloadOptions, job: PreloadJob) {
    this.#options = options
    this.#job = job
  }

  readonly loaded = async (signal: AbortSignal): Promise<void> => {
    await this.#load(signal)
  }

  readonly start: WorkerStarter = async (listener, settings): Promise<WorkerHandle> => {
    const parent = await this.#load(settings.signal)
    return await parent.fork(listener, settings)
  }

  /** The process that has loaded the application: another one, if the last one has ended. */
  async #load(signal: AbortSignal): Promise<PreloadParent> {
    if (this.#retired) throw new Error('the application was reloaded')
    if (this.#parent === null || this.#parent.ended)
      this.#parent = new PreloadParent(this.#options, this.#job)
    const parent = this.#parent
    await unlessAborted(parent.loaded, signal)
    return parent
  }

  async retire(): Promise<void> {
    this.#retired = true
    await this.#parent?.retire()
  }

  kill(): void {
    this.#retired = true
    this.#parent?.kill()
  }
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(new Error('it was not needed any more'))
  })
  aborted.catch(() => {})
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
