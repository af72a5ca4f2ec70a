import { existsSync, realpathSync, type Stats, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import type { FSWatcher } from 'chokidar'
import { type Coded, coded } from '../messages/coded.ts'
import type { FilePattern } from './file-pattern.ts'
import { isOfPackage, isOfStandardLibrary, isSkipped, roleOf } from './file-roles.ts'

/** How a file has changed. */
export type FileChange = 'added' | 'changed' | 'removed'

/** Where a watch reports that it cannot watch everything. */
export interface WatchLog {
  warning(text: Coded): void
}

export interface FileWatcherOptions {
  /** Folders that are watched with all that is in them, as far as it may matter. */
  readonly roots: readonly string[]
  readonly isPython: boolean
  /** Files to watch wherever they are. */
  readonly extra: readonly FilePattern[]
  readonly engine: 'auto' | 'poll' | 'inotify'
  readonly log: WatchLog
  /** It does not keep the process from ending. Defaults to false. */
  readonly background?: boolean
  changed(path: string, change: FileChange): void
}

/** At most this many files and folders are watched, so that the system has some left for others. */
const MOST_WATCHED = 5000
/** Of these, files of packages that the application has loaded. */
const MOST_OF_PACKAGES = 2000
/** How often files are looked at when the system does not report changes, in milliseconds. */
const POLL_MS = 250

const OUT_OF_WATCHES = new Set(['ENOSPC', 'EMFILE'])

/**
 * Watches the folders of an application, and the files that it has loaded from elsewhere.
 *
 * @example
 * const watcher = new FileWatcher({ roots: ['/srv/site'], … })
 * await watcher.start()
 * watcher.add(['/usr/lib/python3/dist-packages/flask/app.py'])
 * await watcher.close()
 */
export class FileWatcher {
  readonly #options: FileWatcherOptions
  /** As given, and with links resolved. */
  readonly #loaded = new Set<string>()
  /** Files that are watched one by one. */
  readonly #single = new Set<string>()
  readonly #watched = new Set<string>()
  #ofPackages = 0
  #watcher: FSWatcher | null = null
  #polls: boolean
  #warned = false
  #closed = false

  constructor(options: FileWatcherOptions) {
    this.#options = options
    this.#polls = options.engine === 'poll'
  }

  /** Resolves when changes are noticed. */
  async start(): Promise<void> {
    // Only here: chokidar is of no use to a server in production.
    const { watch } = await import('chokidar')
    if (this.#closed) return
    const { roots, extra, changed, background = false } = this.#options
    const paths = [...roots, ...extra.map(({ base }) => base), ...this.#single]
    const watcher = watch(paths, {
      ignoreInitial: true,
      persistent: !background,
      ignorePermissionErrors: true,
      usePolling: this.#polls,
      interval: POLL_MS,
      binaryInterval: POLL_MS,
      ignored: (path, stats) => this.#ignores(path, stats),
    })
    this.#watcher = watcher
    watcher.on('add', (path) => changed(path, 'added'))
    watcher.on('change', (path) => changed(path, 'changed'))
    watcher.on('unlink', (path) => {
      this.#watched.delete(path)
      changed(path, 'removed')
    })
    watcher.on('unlinkDir', (path) => this.#watched.delete(path))
    await new Promise<void>((resolve) => {
      watcher.once('ready', resolve)
      watcher.on('error', (error) => {
        // Several calls fail at once.
        if (watcher !== this.#watcher) return
        void this.#failed(error).then((startedAgain) => {
          if (startedAgain) resolve()
        })
      })
    })
  }

  /** Files that the application has loaded. */
  add(files: readonly string[]): void {
    const single: string[] = []
    for (const file of files) {
      if (this.#loaded.has(file) || isOfStandardLibrary(file)) continue
      this.#loaded.add(file)
      const real = realPath(file)
      this.#loaded.add(real)
      if (this.#isWatched(file) || this.#isWatched(real)) continue
      if (isOfPackage(file)) {
        // To poll hundreds of files that hardly ever change would cost too much.
        if (this.#polls || this.#ofPackages >= MOST_OF_PACKAGES) continue
        this.#ofPackages++
      }
      this.#single.add(file)
      single.push(file)
    }
    if (single.length > 0) this.#watcher?.add(single)
  }

  /** Whether the application has loaded this file. */
  hasLoaded(path: string): boolean {
    return this.#loaded.has(path)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#watcher?.close()
  }

  /** Whether a file is watched with the folder that it is in. */
  #isWatched(path: string): boolean {
    const mayBeLeftOut = this.#watched.size >= MOST_WATCHED && !this.#watched.has(path)
    return this.#isInTree(path) && !mayBeLeftOut
  }

  /** Whether the tree of a root has this file, without a folder that is skipped. */
  #isInTree(path: string): boolean {
    return this.#options.roots.some((root) => {
      if (!path.startsWith(root + sep)) return false
      let folder = root
      for (const name of path.slice(root.length + 1).split(sep)) {
        folder = join(folder, name)
        if (isSkipped(folder) || this.#isEnvironment(folder)) return false
      }
      return true
    })
  }

  #ignores(path: string, stats: Stats | undefined): boolean {
    const { roots, extra, isPython } = this.#options
    if (roots.includes(path) || this.#single.has(path)) return false
    if (extra.some(({ base, matches }) => base === path || matches(path)))
      return this.#isOneTooMany(path)
    const root = roots.find((folder) => path.startsWith(folder + sep))
    const isInPattern = extra.some(({ base }) => path.startsWith(base + sep))
    if ((root === undefined && !isInPattern) || isSkipped(path)) return true
    const isFolder = (stats ?? statSync(path, { throwIfNoEntry: false }))?.isDirectory() ?? false
    if (isFolder) return this.#isEnvironment(path) || this.#isOneTooMany(path)
    if (root === undefined) return true
    if (!this.#loaded.has(path) && roleOf(path, root, isPython) === 'other') return true
    return this.#isOneTooMany(path)
  }

  /** Whether a folder is a virtual environment of Python. */
  #isEnvironment(folder: string): boolean {
    return existsSync(join(folder, 'pyvenv.cfg'))
  }

  #isOneTooMany(path: string): boolean {
    if (this.#watched.has(path)) return false
    if (this.#watched.size >= MOST_WATCHED) {
      this.#warn(
        coded(
          'MONO5211',
          `--reload watches ${MOST_WATCHED} files and folders, and there are more in ` +
            `${this.#options.roots.join(', ')}: of the others, only changes of modules that the ` +
            'application has loaded are noticed. Give the folder of the application with --chdir',
        ),
      )
      return true
    }
    this.#watched.add(path)
    return false
  }

  /** @returns whether it watches again, in another way */
  async #failed(error: unknown): Promise<boolean> {
    const { code = '', message = String(error) } = error as NodeJS.ErrnoException
    if (this.#closed || this.#polls) return false
    const isOut = OUT_OF_WATCHES.has(code)
    if (!isOut || this.#options.engine === 'inotify') {
      const advice = isOut ? '; raise fs.inotify.max_user_watches, or use --reload-engine poll' : ''
      this.#warn(coded('MONO5211', `--reload cannot watch all files: ${message}${advice}`))
      return false
    }
    this.#polls = true
    this.#options.log.warning(
      coded(
        'MONO5211',
        `--reload: the system has no watches left (${code}; fs.inotify.max_user_watches, ` +
          `fs.inotify.max_user_instances); looking at the files every ${POLL_MS / 1000} s instead`,
      ),
    )
    for (const file of this.#single) if (isOfPackage(file)) this.#single.delete(file)
    void this.#watcher?.close()
    await this.start()
    return true
  }

  #warn(text: Coded): void {
    if (this.#warned) return
    this.#warned = true
    this.#options.log.warning(text)
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
