import {
  type Field,
  type ResponseHead,
  responseField,
  responseHead,
} from '../../http/response-head.ts'
import { isBodiless } from '../../semantics/bodiless.ts'
import { ABOUT_CONTENT } from '../../semantics/not-modified.ts'
import type { MemoryBudget } from '../../spool/memory-budget.ts'
import { CACHE_NAME } from './cache-status.ts'
import { ageOf, type StorageRules } from './storage-rules.ts'

/** What an entry costs beside its texts and its body: objects and their places in maps. */
const OVERHEAD = 1024
/** These are made anew for each answer, or are about the bytes that the application sent. */
const NOT_KEPT: ReadonlySet<string> = new Set(['age', 'content-length'])
/** Fields that a 304 from the application does not change (RFC 9111 §3.2). */
const NOT_UPDATED: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'etag',
  'set-cookie',
])
/** A response that is in the store, or was when an exchange began to answer with it. */
export class StoredResponse {
  readonly status: number
  readonly reason: string
  /** Without Age and Content-Length; always with Date. */
  readonly fields: readonly Field[]
  readonly body: Buffer
  readonly rules: StorageRules
  readonly etag: string | undefined
  readonly lastModified: string | undefined
  /** Bytes of memory, including its share of the maps that it is in. */
  readonly size: number
  /** Exchanges that are sending it. */
  #readers = 0
  /** Counts it when it is not in the store any more, but still being sent. */
  #memory: MemoryBudget | null = null
  /** The head of the last answer that was a hit, and the second of its age. */
  #head: ResponseHead | null = null
  #headAge = -1

  constructor(head: ResponseHead, body: Buffer, rules: StorageRules) {
    this.status = head.status
    this.reason = head.reason
    const fields = head.fields.filter(([name]) => !NOT_KEPT.has(name.toLowerCase()))
    // RFC 9110 §6.6.1
    if (!head.hasDate) fields.push(['Date', new Date(rules.receivedAt).toUTCString()])
    this.fields = fields
    this.body = body
    this.rules = rules
    this.etag = responseField(head, 'etag')
    this.lastModified = responseField(head, 'last-modified')
    this.size = OVERHEAD + body.length + 2 * textBytes(fields)
  }

  /**
   * The head of a whole answer.
   *
   * @param hit the client gets it because it is in the store; of those, the last head is kept
   * @param status the value of our Cache-Status
   */
  head(now: number, hit: boolean, status: (ttl: number) => string): ResponseHead {
    const age = Math.floor(ageOf(this.rules, now))
    if (hit && age === this.#headAge) return this.#head!
    const length = isBodiless(this.status) ? -1 : this.body.length
    const fields: Field[] = [...this.fields, ...this.#own(age, status)]
    if (length !== -1) fields.push(['Content-Length', String(length)])
    const head = responseHead(this.status, fields, length, this.reason)
    if (hit) {
      this.#head = head
      this.#headAge = age
    }
    return head
  }

  /** The head of a 304 (RFC 9110 §15.4.5), or of an answer with another part or without content. */
  headWithout(
    code: number,
    now: number,
    status: (ttl: number) => string,
    content?: { readonly fields: readonly Field[]; readonly length: number },
  ): ResponseHead {
    const age = Math.floor(ageOf(this.rules, now))
    const kept =
      code === 206
        ? this.fields
        : this.fields.filter(([name]) => !ABOUT_CONTENT.has(name.toLowerCase()))
    const fields = [...kept, ...this.#own(age, status), ...(content?.fields ?? [])]
    return responseHead(code, fields, content?.length ?? -1)
  }

  /** The head with what a 304 from the application says (RFC 9111 §3.2, §4.3.4). */
  updatedHead(by: ResponseHead): ResponseHead {
    const changed = by.fields.filter(([name]) => !NOT_UPDATED.has(name.toLowerCase()))
    const names = new Set(changed.map(([name]) => name.toLowerCase()))
    // Without a Date of its own, it was made just now.
    names.add('date')
    const fields = [...this.fields.filter(([name]) => !names.has(name.toLowerCase())), ...changed]
    return responseHead(this.status, fields, this.body.length, this.reason)
  }

  get hasValidator(): boolean {
    return this.etag !== undefined || this.lastModified !== undefined
  }

  /** An exchange begins to send it. Call {@link release} when that is over. */
  hold(): void {
    this.#readers++
  }

  release(): void {
    this.#readers--
    if (this.#readers > 0 || this.#memory === null) return
    this.#memory.add(-this.size)
    this.#memory = null
  }

  /** The store has dropped it. As long as it is being sent, it is held for clients. */
  dropped(memory: MemoryBudget): void {
    if (this.#readers === 0 || this.#memory !== null) return
    this.#memory = memory
    memory.add(this.size)
  }

  #own(age: number, status: (ttl: number) => string): Field[] {
    const ttl = Math.floor(this.rules.lifetime) - age
    return [
      ['Age', String(age)],
      ['Cache-Status', `${CACHE_NAME}; ${status(ttl)}`],
    ]
  }
}

function textBytes(fields: readonly Field[]): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + 64, 0)
}
