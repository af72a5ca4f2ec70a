/**
 * A snapshot of V8's heap in this process, for the arbiter: it is written to a file in this
 * acceptor's private folder, read in parts, and removed. Imported when one is asked for.
 */
import { closeSync, openSync, readSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { writeHeapSnapshot } from 'node:v8'

/** Without `offset`, a new snapshot is taken; with `done`, the one there is is removed. */
export interface HeapDetails {
  readonly worker: number | null
  readonly offset: number | null
  readonly done: boolean
}

export interface HeapPart {
  readonly pid: number
  /** Of the whole snapshot, in bytes. */
  readonly size: number
  /** In base64; empty at the end, and in the answer to the first question. */
  readonly part: string
}

/** How much of it is read at once, in bytes. */
const PART = 4 * 1024 * 1024

/**
 * @param folder where the file is
 * @returns null if another process is asked
 * @throws Error if there is no snapshot, or no space for one
 */
export function heapPart(details: HeapDetails, folder: string): HeapPart | null {
  const { worker, offset, done } = details
  const { pid } = process
  if (worker !== null && worker !== pid) return null
  const path = join(folder, 'heap.heapsnapshot')
  if (done) {
    rmSync(path, { force: true })
    return { pid, size: 0, part: '' }
  }
  if (offset === null) {
    // It blocks the event loop. So only if it is told which process it is.
    if (worker === null) return { pid, size: 0, part: '' }
    try {
      writeHeapSnapshot(path)
    } catch (error) {
      rmSync(path, { force: true })
      throw error
    }
    return { pid, size: statSync(path).size, part: '' }
  }
  const { size } = statSync(path)
  const bytes = Buffer.alloc(Math.max(0, Math.min(PART, size - offset)))
  const file = openSync(path, 'r')
  try {
    readSync(file, bytes, 0, bytes.length, offset)
  } finally {
    closeSync(file)
  }
  return { pid, size, part: bytes.toString('base64') }
}
