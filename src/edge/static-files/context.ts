import type { FileStore } from '../../files/file-store.ts'
import type { RequestHandler } from '../../http/exchange.ts'
import type { Coded } from '../../messages/coded.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'
import type { FileFields } from '../file-sending.ts'

export interface StaticFilesOptions {
  /** Folders by the paths that they are served below. */
  readonly folders: Readonly<Record<string, string>>
  /** See the setting `root_path`. */
  readonly rootPath: string
  /** Answers navigations without a file, which the application has answered 404, with the index. */
  readonly spa: boolean
  /** The value of Cache-Control, or null for none. */
  readonly cacheControl: string | null
  /** Which paths are of files that never change: `auto`, a regular expression, or null for none. */
  readonly immutable: string | null
  readonly store: FileStore
  readonly memory: MemoryBudget
  /** Counts a request that is answered with a file; absent if nobody counts. */
  readonly hit?: (() => void) | undefined
  /** Takes a line for the log, of a kind that clients can cause at will. */
  readonly warn: (kind: string, text: Coded) => void
}

/** What all exchanges of the handler share. */
export interface StaticFilesContext extends FileFields {
  readonly options: StaticFilesOptions
  readonly next: RequestHandler
}
