import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'

/** Larger files count as changed whenever they are written. */
const LARGEST = 1024 * 1024

/** What was in files, so that one that was only touched can be told from one that was changed. */
export class FileContents {
  readonly #hashes = new Map<string, string>()

  /**
   * Notes what is in a file.
   *
   * @returns whether that differs from before; true if it was not known before
   */
  changed(path: string): boolean {
    const before = this.#hashes.get(path)
    const now = hashOf(path)
    if (now === null) this.#hashes.delete(path)
    else this.#hashes.set(path, now)
    return now === null || now !== before
  }

  /**
   * Notes what is in a file that was loaded.
   *
   * @param since when loading began, in milliseconds since 1970
   * @returns whether it may have been changed after it was loaded; then nothing is noted
   */
  mayHaveChanged(path: string, since: number): boolean {
    try {
      if (statSync(path).mtimeMs >= since) return true
    } catch {
      return false // it was not a file
    }
    this.changed(path)
    return false
  }
}

function hashOf(path: string): string | null {
  try {
    const { size } = statSync(path)
    // An empty file may be about to be written.
    if (size > LARGEST || size === 0) return null
    return createHash('sha256').update(readFileSync(path)).digest('base64')
  } catch {
    return null // it is gone, or cannot be read
  }
}
