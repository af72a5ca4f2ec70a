/** The driver of `--reload`: reloads the application when one of its files changes. */
import { statSync } from 'node:fs'
import { basename, relative, sep } from 'node:path'
import { runtimeOf } from '../../../settings/runtime.ts'
import type { Settings } from '../../../settings/table.ts'
import type { ArbiterActions, ArbiterDriver, DriverLog } from '../../actions.ts'
import { FileContents } from './file-contents.ts'
import { type FilePattern, filePattern } from './file-pattern.ts'
import { isOfPackage, roleOf } from './file-roles.ts'
import { type FileChange, FileWatcher } from './file-watcher.ts'

/** Changes come together, as when a branch is checked out: acts when there was none for so long. */
const QUIET_MS = 30
/** Acts after this time even if there is no end of changes. */
const LONGEST_MS = 1000
/** At most this many files are named in the log. */
const MOST_NAMED = 3

/** Watches the files of an application, and reloads it or refreshes browsers. */
export class ReloadDriver implements ArbiterDriver {
  readonly #settings: Settings
  readonly #roots: readonly string[]
  readonly #isPython: boolean
  readonly #extra: readonly FilePattern[]
  readonly #contents = new FileContents()
  #actions!: ArbiterActions
  #watcher: FileWatcher | null = null
  /** The application is being loaded, or could not be: any module that changes may matter. */
  #unsettled = true
  /** When the application that serves began to load, in milliseconds since 1970. */
  #loadedSince = Date.now()
  /** The application loads, or has been loaded. */
  #loads = false
  /** Files that have changed, and for which nothing was done yet. */
  readonly #reloadFor = new Set<string>()
  readonly #refreshFor = new Set<string>()
  #timer: NodeJS.Timeout | null = null
  /** When the first of these changes was noticed; `performance.now()`. */
  #firstAt = 0

  constructor(settings: Settings) {
    this.#settings = settings
    this.#isPython = runtimeOf(settings) !== 'node'
    this.#roots = outermost([settings.chdir, ...settings.pythonpath])
    const { chdir, config, reloadExtraFiles } = settings
    // `-c /dev/null` means no config file. Devices change whenever a process uses them.
    const isFile = config !== null && statSync(config, { throwIfNoEntry: false })?.isFile()
    const extra = isFile ? [config, ...reloadExtraFiles] : reloadExtraFiles
    this.#extra = extra.map((pattern) => filePattern(pattern, chdir))
  }

  async start(actions: ArbiterActions, log: DriverLog): Promise<void> {
    this.#actions = actions
    const { acceptorStarted, acceptorReady, filesLoaded, reload } = actions.events
    filesLoaded.subscribe(({ files }) => this.#filesLoaded(files))
    reload.subscribe((event) => {
      const { phase } = event
      if (phase === 'begun') this.#loadedSince = Date.now()
      this.#unsettled = phase !== 'done'
      if (phase !== 'failed') return
      // It may be elsewhere, and was not loaded.
      this.#watcher?.add(filesIn(event.reason))
    })
    acceptorStarted.subscribe(() => {
      this.#loads = true
    })
    const stopWaiting = acceptorReady.subscribe(() => {
      stopWaiting()
      this.#unsettled = false
      // What has changed before the server served.
      this.#wait()
    })
    this.#watcher = new FileWatcher({
      roots: this.#roots,
      isPython: this.#isPython,
      extra: this.#extra,
      engine: this.#settings.reloadEngine,
      log,
      changed: (path, change) => this.#changed(path, change),
    })
    await this.#watcher.start()
    log.info(`Watching ${this.#roots.join(', ')} for changes (--reload)`)
  }

  async end(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#watcher?.close()
  }

  #filesLoaded(files: readonly string[]): void {
    const news = files.filter((file) => this.#watcher?.hasLoaded(file) === false)
    this.#watcher?.add(files)
    for (const file of news) {
      if (isOfPackage(file) || !this.#watcher?.hasLoaded(file)) continue
      if (this.#contents.mayHaveChanged(file, this.#loadedSince)) this.#note(this.#reloadFor, file)
    }
  }

  #changed(path: string, change: FileChange): void {
    const needs = this.#needs(path, change)
    if (needs !== 'nothing')
      this.#note(needs === 'reload' ? this.#reloadFor : this.#refreshFor, path)
  }

  #needs(path: string, change: FileChange): 'reload' | 'refresh' | 'nothing' {
    if (this.#extra.some((pattern) => pattern.matches(path))) return 'reload'
    if (this.#watcher?.hasLoaded(path)) return 'reload'
    const root = this.#roots.find((folder) => path.startsWith(folder + sep))
    const role = root === undefined ? 'other' : roleOf(path, root, this.#isPython)
    switch (role) {
      case 'template':
        return 'reload'
      case 'source':
        // Python may find a module now that it did not find before, or another one.
        return this.#unsettled || (this.#isPython && change === 'added') ? 'reload' : 'nothing'
      case 'static':
        // Some applications list their static files when they are loaded.
        return change === 'changed' ? 'refresh' : 'reload'
      default:
        return 'nothing'
    }
  }

  #note(files: Set<string>, path: string): void {
    if (this.#reloadFor.size + this.#refreshFor.size === 0) this.#firstAt = performance.now()
    files.add(path)
    this.#wait()
  }

  #wait(): void {
    if (this.#reloadFor.size + this.#refreshFor.size === 0) return
    if (this.#timer !== null) clearTimeout(this.#timer)
    const left = this.#firstAt + LONGEST_MS - performance.now()
    this.#timer = setTimeout(() => this.#act(), Math.max(0, Math.min(QUIET_MS, left)))
  }

  #act(): void {
    this.#timer = null
    // Not yet: `acceptorReady` follows.
    if (!this.#loads) return
    const reloadFor = this.#takeChanged(this.#reloadFor)
    const refreshFor = this.#takeChanged(this.#refreshFor)
    if (reloadFor.length > 0) void this.#actions.reload(this.#describe(reloadFor))
    else if (refreshFor.length > 0) this.#refresh(refreshFor)
  }

  /** Those of the files that were not only touched. It is empty afterwards. */
  #takeChanged(files: Set<string>): string[] {
    // Not when a change is noticed: the file may have been emptied, and not be written yet.
    const changed = [...files].filter((file) => this.#contents.changed(file))
    files.clear()
    return changed
  }

  #refresh(files: readonly string[]): void {
    const [file] = files
    const isStyle = files.length === 1 && file !== undefined && file.endsWith('.css')
    this.#actions.refreshBrowsers(
      isStyle ? { kind: 'style', file: basename(file) } : { kind: 'page' },
    )
  }

  /** @example 'shop/views.py has changed' */
  #describe(files: readonly string[]): string {
    const names = files.slice(0, MOST_NAMED).map((file) => this.#nameOf(file))
    const more = files.length - names.length
    const all = more > 0 ? [...names, `${more} more`] : names
    return `${all.join(', ')} ${files.length === 1 ? 'has' : 'have'} changed`
  }

  #nameOf(file: string): string {
    const name = relative(this.#settings.chdir, file)
    return name.startsWith('..') ? file : name
  }
}

/** The files that a traceback of Python or a stack of JavaScript names. */
function filesIn(text: string): string[] {
  const places = /^ *File "(\/.+)", line \d|(?:file:\/\/|[\s(])(\/[^\s():]+):\d+/gm
  return [...text.matchAll(places)].map(([, python, javascript]) => python ?? javascript ?? '')
}

/** Without folders that are inside of others. */
function outermost(folders: readonly string[]): string[] {
  const all = [...new Set(folders)]
  return all.filter((folder) => !all.some((other) => folder.startsWith(other + sep)))
}
