/** The driver of `--reload`: reloads the application when one of its files changes. */
import { statSync } from 'node:fs'
import { ChangeWatch } from '../../../changes/change-watch.ts'
import { filePattern } from '../../../changes/file-pattern.ts'
import { runtimeOf } from '../../../settings/runtime.ts'
import type { Settings } from '../../../settings/table.ts'
import type { ArbiterActions, ArbiterDriver, DriverLog } from '../../actions.ts'

/** Watches the files of an application, and reloads it or refreshes browsers. */
export class ReloadDriver implements ArbiterDriver {
  readonly #settings: Settings
  #watch: ChangeWatch | null = null

  constructor(settings: Settings) {
    this.#settings = settings
  }

  async start(actions: ArbiterActions, log: DriverLog): Promise<void> {
    const watch = this.#makeWatch(actions, log)
    this.#watch = watch
    const { acceptorStarted, acceptorReady, filesLoaded, reload } = actions.events
    filesLoaded.subscribe(({ files }) => watch.filesLoaded(files))
    reload.subscribe((event) => {
      if (event.phase === 'done') watch.loaded()
      else if (event.phase === 'failed') watch.loadFailed(event.reason)
      else watch.loading(event.phase === 'begun')
    })
    acceptorStarted.subscribe(() => watch.begin())
    const stopWaiting = acceptorReady.subscribe(() => {
      stopWaiting()
      watch.ready()
    })
    await watch.start()
    log.info(`Watching ${watch.roots.join(', ')} for changes (--reload)`)
  }

  async end(): Promise<void> {
    await this.#watch?.close()
  }

  #makeWatch(actions: ArbiterActions, log: DriverLog): ChangeWatch {
    const { chdir, pythonpath, config, reloadEngine, reloadExtraFiles } = this.#settings
    // `-c /dev/null` means no config file. Devices change whenever a process uses them.
    const isFile = config !== null && statSync(config, { throwIfNoEntry: false })?.isFile()
    const extra = isFile ? [config, ...reloadExtraFiles] : reloadExtraFiles
    return new ChangeWatch({
      roots: [chdir, ...pythonpath],
      isPython: runtimeOf(this.#settings) !== 'node',
      extra: extra.map((pattern) => filePattern(pattern, chdir)),
      engine: reloadEngine,
      directory: chdir,
      log,
      reload: ({ description }) => void actions.reload(description),
      refresh: ({ style }) =>
        actions.refreshBrowsers(style === null ? { kind: 'page' } : { kind: 'style', file: style }),
    })
  }
}
