import type { CodingRules } from '../../content-coding/coded-fields.ts'
import type { Encoding } from '../../content-coding/coding.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'

/** What all exchanges share. */
export interface CompressContext {
  readonly rules: CodingRules
  readonly levels: Readonly<Record<Encoding, number>>
  readonly memory: MemoryBudget
  /** Called if a body cannot be compressed. */
  readonly failed: (text: string) => void
}
