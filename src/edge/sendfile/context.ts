import type { FileStore } from '../../files/file-store.ts'
import type { Coded } from '../../messages/coded.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'
import type { FileNames } from './file-names.ts'

export interface SendfileOptions {
  /** Folders of files that `X-Sendfile` may name. With none, it is a field like any other. */
  readonly roots: readonly string[]
  /** Folders by the paths that `X-Accel-Redirect` may name. With none, it is one too. */
  readonly redirects: Readonly<Record<string, string>>
  readonly store: FileStore
  readonly memory: MemoryBudget
  /** Takes a line for the log about a mistake of the application. */
  readonly error: (text: Coded) => void
  /** Takes a line for the log, of a kind that clients can cause at will. */
  readonly warn: (kind: string, text: Coded) => void
}

/** What all exchanges of the handler share. */
export interface SendfileContext {
  readonly options: SendfileOptions
  readonly names: FileNames
}
