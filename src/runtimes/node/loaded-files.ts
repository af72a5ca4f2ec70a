/** Which files an application in TypeScript or JavaScript has loaded, for `--reload` only. */
import * as nodeModule from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MessageChannel } from 'node:worker_threads'
import { ownFolder } from '../../own-files/own-files.ts'

/** Files are collected for this long before they are reported, in milliseconds. */
const COLLECT_MS = 20

/** How often to look for files that no hook has seen, in milliseconds. */
const LOOK_MS = 250

/** Since Node.js 22.15: hooks in this thread, which see `require` too. */
interface HooksInThread {
  registerHooks?: (hooks: {
    load: (
      url: string,
      context: unknown,
      next: (url: string, context: unknown) => unknown,
    ) => unknown
  }) => void
}

/** The hooks of older versions run in a thread of their own. */
const HOOKS_MODULE = `
let port
export function initialize(data) { port = data.port }
export function load(url, context, next) {
  port.postMessage(url)
  return next(url, context)
}`

/**
 * Reports each file that is loaded from now on: modules as they are about to be loaded, so also one
 * that turns out to be broken, and a moment later those that CommonJS and jiti have loaded.
 */
export class LoadedFiles {
  readonly #loaded: (files: readonly string[]) => void
  readonly #known = new Set<string>()
  /** Monoceros itself. */
  readonly #ours = join(ownFolder(), '/')
  #news: string[] = []
  #timer: NodeJS.Timeout | null = null

  /** @param loaded called with files that were not reported before */
  constructor(loaded: (files: readonly string[]) => void) {
    this.#loaded = loaded
    const { registerHooks } = nodeModule as HooksInThread
    if (registerHooks === undefined) this.#watchFromThread()
    else
      registerHooks({
        load: (url, context, next) => {
          this.#note(url)
          return next(url, context)
        },
      })
    setInterval(() => this.report(), LOOK_MS).unref()
  }

  #watchFromThread(): void {
    const { port1, port2 } = new MessageChannel()
    port1.on('message', (url: string) => this.#note(url))
    port1.unref()
    nodeModule.register(`data:text/javascript,${encodeURIComponent(HOOKS_MODULE)}`, {
      data: { port: port2 },
      transferList: [port2],
    })
  }

  /** Reports what was loaded until now. */
  report(): void {
    const { cache } = nodeModule.createRequire(this.#ours)
    for (const path of Object.keys(cache)) this.#add(path)
    this.#tell()
  }

  #note(url: string): void {
    if (!url.startsWith('file:')) return
    this.#add(fileURLToPath(url.replace(/[?#].*$/, '')))
    if (this.#news.length > 0) this.#timer ??= setTimeout(() => this.report(), COLLECT_MS).unref()
  }

  #add(path: string): void {
    if (this.#known.has(path) || path.startsWith(this.#ours)) return
    this.#known.add(path)
    this.#news.push(path)
  }

  #tell(): void {
    this.#timer = null
    const files = this.#news
    if (files.length === 0) return
    this.#news = []
    this.#loaded(files)
  }
}
