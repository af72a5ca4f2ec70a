import { basename, relative, sep } from 'node:path'
import { FileContents } from './file-contents.ts'
import type { FilePattern } from './file-pattern.ts'
import { isOfPackage, roleOf } from './file-roles.ts'
import { type FileChange, FileWatcher, type WatchLog } from './file-watcher.ts'

/** Changes come together, as when a branch is checked out: acts when there was none for so long. */
const QUIET_MS = 30
/** Acts after this time even if there is no end of changes. */
const LONGEST_MS = 1000
/** At most this many files are named in a log. */
const MOST_NAMED = 3

/** Files that changed at the same time. */
export interface Changes {
  /** Absolute paths. */
  readonly files: readonly string[]
  /** For a log: `shop/views.py has changed`. */
  readonly description: string
  /** The name of a style sheet, if nothing else has changed; null otherwise. */
  readonly style: string | null
}

/** What a {@link ChangeWatch} watches, and whom it tells. */
export interface ChangeWatchOptions {
  /** Folders of the application, absolute. One in another one is left out. */
  readonly roots: readonly string[]
  readonly isPython: boolean
  /** Other files whose change reloads the application. */
  readonly extra: readonly FilePattern[]
  readonly engine: 'auto' | 'poll' | 'inotify'
  /** The folder from which files are named in a description. */
  readonly directory: string
  readonly log: WatchLog
  /** It does not keep the process from ending. Defaults to false. */
  readonly background?: boolean
  /** The application must be loaded again. */
  reload(changes: Changes): void
  /** The application notices by itself; a page that shows it does not. */
  refresh(changes: Changes): void
}

/**
 * Watches the files of an application, and decides what a change needs: that the application is
 * loaded again, that pages are refreshed, or nothing. Whoever loads the application tells the
 * watch.
 *
 * @example
 * const watch = new ChangeWatch({ roots: ['/srv/site'], isPython: true, … })
 * await watch.start()
 * watch.begin()
 * watch.filesLoaded(['/srv/site/views.py'])
 * watch.loaded()
 */
export class ChangeWatch {
  readonly #options: ChangeWatchOptions
  readonly #roots: readonly string[]
  readonly #contents = new FileContents()
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

  constructor(options: ChangeWatchOptions) {
    this.#options = options
    this.#roots = outermost(options.roots)
  }

  /** The folders that are watched. */
  get roots(): readonly string[] {
    return this.#roots
  }

  /** Resolves when changes are noticed. */
  async start(): Promise<void> {
    const { isPython, extra, engine, log, background = false } = this.#options
    this.#watcher = new FileWatcher({
      roots: this.#roots,
      isPython,
      extra,
      engine,
      log,
      background,
      changed: (path, change) => this.#changed(path, change),
    })
    await this.#watcher.start()
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#watcher?.close()
  }

  /** The application begins to load for the first time: from now on changes are acted upon. */
  begin(): void {
    this.#loads = true
  }

  /**
   * It loads again.
   *
   * @param begun whether that has just begun
   */
  loading(begun = true): void {
    if (begun) this.#loadedSince = Date.now()
    this.#unsettled = true
  }

  /** It was loaded. */
  loaded(): void {
    this.#unsettled = false
  }

  /** It was loaded for the first time: acts upon what has changed before. */
  ready(): void {
    this.#unsettled = false
    this.#wait()
  }

  /** @param text the error, which may name files elsewhere that were not loaded */
  loadFailed(text: string): void {
    this.#unsettled = true
    this.#watcher?.add(filesIn(text))
  }

  /** It has loaded these files; they may be known already. */
  filesLoaded(files: readonly string[]): void {
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
    const { extra, isPython } = this.#options
    if (extra.some((pattern) => pattern.matches(path))) return 'reload'
    if (this.#watcher?.hasLoaded(path)) return 'reload'
    const root = this.#roots.find((folder) => path.startsWith(folder + sep))
    const role = root === undefined ? 'other' : roleOf(path, root, isPython)
    switch (role) {
      case 'template':
        return 'reload'
      case 'source':
        // Python may find a module now that it did not find before, or another one.
        return this.#unsettled || (isPython && change === 'added') ? 'reload' : 'nothing'
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
    // Not yet: `ready` follows.
    if (!this.#loads) return
    const reloadFor = this.#takeChanged(this.#reloadFor)
    const refreshFor = this.#takeChanged(this.#refreshFor)
    if (reloadFor.length > 0) this.#options.reload(this.#describe(reloadFor))
    else if (refreshFor.length > 0) this.#options.refresh(this.#describe(refreshFor))
  }

  /** Those of the files that were not only touched. It is empty afterwards. */
  #takeChanged(files: Set<string>): string[] {
    // Not when a change is noticed: the file may have been emptied, and not be written yet.
    const changed = [...files].filter((file) => this.#contents.changed(file))
    files.clear()
    return changed
  }

  #describe(files: readonly string[]): Changes {
    const names = files.slice(0, MOST_NAMED).map((file) => this.#nameOf(file))
    const more = files.length - names.length
    const all = more > 0 ? [...names, `${more} more`] : names
    const [file] = files
    const isStyle = files.length === 1 && file !== undefined && file.endsWith('.css')
    return {
      files,
      description: `${all.join(', ')} ${files.length === 1 ? 'has' : 'have'} changed`,
      style: isStyle ? basename(file) : null,
    }
  }

  #nameOf(file: string): string {
    const name = relative(this.#options.directory, file)
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
