import type { BigIntStats } from 'node:fs'
import { fstat, read } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import {
  changedJustNow,
  type FileValidators,
  type PrecompressedEncoding,
  validatorsOf,
} from './file-facts.ts'

/** Memory in front of the content, where the head of a response fits. */
export const HEADROOM = 1024

/** See `MemoryBudget`. */
export interface ContentBudget {
  add(bytes: number): void
}

/** What is known of a file, and its content or its open descriptor. */
export class StoredFile {
  /** As it was opened. */
  readonly path: string
  readonly stat: BigIntStats
  /** In bytes. */
  readonly size: number
  readonly encoding: PrecompressedEncoding | null
  readonly validators: FileValidators
  /** {@link HEADROOM}, then the content; null if the content is read from {@link fd}. */
  readonly memory: Buffer | null
  /**
   * For the owner of the store, who keeps here what it made of the file. The store does not read
   * it.
   */
  prepared: object | null = null
  /** Nobody holds the memory in front of the content. Nobody knows when a holder leaves it. */
  headroomFree = true
  #handle: FileHandle | null
  #users = 1
  /** Counts the content after the store has forgotten it. */
  #budget: ContentBudget | null = null
  readonly #closed: () => void

  /** @param closed called when the descriptor is closed */
  constructor(
    file: { readonly path: string; readonly stat: BigIntStats; readonly handle: FileHandle | null },
    encoding: PrecompressedEncoding | null,
    memory: Buffer | null,
    closed: () => void,
  ) {
    this.path = file.path
    this.stat = file.stat
    this.size = Number(file.stat.size)
    this.encoding = encoding
    this.validators = validatorsOf(file.stat, encoding)
    this.memory = memory
    this.#handle = file.handle
    this.#closed = closed
    if (memory !== null) this.#close()
  }

  /** The same file, with its content. */
  with(memory: Buffer): StoredFile {
    const { path, stat } = this
    return new StoredFile({ path, stat, handle: null }, this.encoding, memory, () => {})
  }

  /** The open file. Call {@link use} first. */
  get fd(): number {
    return this.#handle!.fd
  }

  /** Its ETag is strong: it had not changed for a second. */
  get settled(): boolean {
    return !this.validators.etag.startsWith('W/')
  }

  /** It could change again without a difference in its time, so it must not be kept. */
  get changedJustNow(): boolean {
    return !this.settled || changedJustNow(this.stat)
  }

  /** The descriptor stays open until {@link release}. Each holder calls both. */
  use(): void {
    this.#users++
  }

  /** The maker holds it once too. */
  release(): void {
    if (--this.#users > 0) return
    this.#close()
    this.#budget?.add(-this.memory!.length)
    this.#budget = null
  }

  /** The store releases it. If responses still send its content, that counts in the budget. */
  forget(budget: ContentBudget | null): void {
    if (this.#users > 1 && this.memory !== null && budget !== null) {
      this.#budget = budget
      budget.add(this.memory.length)
    }
    this.release()
  }

  /** No response reads from it; only the store keeps it open. */
  get idle(): boolean {
    return this.#users <= 1
  }

  #close(): void {
    const handle = this.#handle
    if (handle === null) return
    this.#handle = null
    handle.close().catch(() => {})
    this.#closed()
  }
}

/** Whether two looks at a path have seen the same file in the same state. */
export function sameState(a: BigIntStats, b: BigIntStats): boolean {
  return (
    a.ino === b.ino &&
    a.dev === b.dev &&
    a.size === b.size &&
    a.mtimeNs === b.mtimeNs &&
    a.ctimeNs === b.ctimeNs
  )
}

/**
 * Reads the whole content of a small file.
 *
 * @returns {@link HEADROOM} and the content; null if the file was changed in the meantime
 */
export async function readContent({
  fd,
  stat,
}: {
  fd: number
  stat: BigIntStats
}): Promise<Buffer | null> {
  const memory = Buffer.allocUnsafeSlow(HEADROOM + Number(stat.size))
  for (let at = HEADROOM; at < memory.length; ) {
    const bytes = await readAt(fd, memory, at)
    if (bytes === 0) return null
    at += bytes
  }
  const now = await statOf(fd)
  return now.size === stat.size && now.mtimeNs === stat.mtimeNs ? memory : null
}

function readAt(fd: number, memory: Buffer, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, memory, at, memory.length - at, at - HEADROOM, (error, bytes) => {
      if (error === null) resolve(bytes)
      else reject(error)
    })
  })
}

function statOf(fd: number): Promise<BigIntStats> {
  return new Promise((resolve, reject) => {
    fstat(fd, { bigint: true }, (error, stat) => {
      if (error === null) resolve(stat)
      else reject(error)
    })
  })
}
