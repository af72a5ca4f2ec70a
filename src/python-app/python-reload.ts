/** What `pythonApp` does for its option `reload` only; not imported without it. */
import { type Changes, ChangeWatch } from '../changes/change-watch.ts'
import { filePattern } from '../changes/file-pattern.ts'
import type { LogLevel } from '../logging/error-log.ts'
import { WorkerEvents } from '../observe/worker-events.ts'
import { messageOf } from '../wsgi/stranger.ts'
import { PythonError } from './python-error.ts'
import type { CheckedOptions } from './python-options.ts'
import type { PythonReloadEvent } from './python-reload-event.ts'

/** Watches the files of a Python application, and has it loaded again when they change. */
export class PythonReload {
  /** What the workers report, such as the files that they have loaded. */
  readonly events: WorkerEvents
  readonly #application: string
  readonly #options: CheckedOptions
  readonly #reload: () => Promise<boolean>
  readonly #watch: ChangeWatch

  /** @param reload loads it again; resolves to false if a later change has made that needless */
  constructor(application: string, options: CheckedOptions, reload: () => Promise<boolean>) {
    this.#application = application
    this.#options = options
    this.#reload = reload
    const { chdir, pythonpath, reloadEngine, reloadExtraFiles } = options
    this.#watch = new ChangeWatch({
      roots: [chdir, ...pythonpath],
      isPython: true,
      extra: reloadExtraFiles.map((pattern) => filePattern(pattern, chdir)),
      engine: reloadEngine,
      directory: chdir,
      log: { warning: (text) => this.#log('warning', text) },
      background: true,
      reload: (changes) => void this.#changed(changes),
      refresh: ({ files }) => this.#tell({ kind: 'refreshed', files }),
    })
    this.events = new WorkerEvents((error) => this.#log('error', messageOf(error)))
    this.events.filesLoaded.subscribe(({ files }) => this.#watch.filesLoaded(files))
  }

  /** Resolves when changes are noticed. */
  async start(): Promise<void> {
    await this.#watch.start()
    this.#watch.begin()
    this.#log('info', `Watching ${this.#watch.roots.join(', ')} for changes (reload)`)
  }

  close(): Promise<void> {
    return this.#watch.close()
  }

  /** The application was loaded for the first time. */
  loaded(): void {
    this.#watch.ready()
  }

  /** It could not be loaded, at the start or after a change. */
  loadFailed(error: unknown): void {
    this.#watch.loadFailed(error instanceof PythonError ? error.traceback : messageOf(error))
  }

  async #changed({ files, description }: Changes): Promise<void> {
    this.#log('info', `${description}: loading ${this.#application} again`)
    this.#watch.loading()
    try {
      if (!(await this.#reload())) return
    } catch (error) {
      this.loadFailed(error)
      const text = error instanceof PythonError ? error.traceback : messageOf(error)
      this.#log('error', `${this.#application} cannot be loaded\n${text}`)
      this.#tell({ kind: 'failed', files, error: error as Error })
      return
    }
    this.#watch.loaded()
    this.#tell({ kind: 'reloaded', files })
  }

  #tell(event: PythonReloadEvent): void {
    try {
      this.#options.onReload?.(event)
    } catch (error) {
      this.#log('error', `The option onReload of pythonApp threw: ${messageOf(error)}`)
    }
  }

  #log(level: LogLevel, text: string): void {
    this.#options.log({ pid: process.pid, source: 'server', level, text })
  }
}
