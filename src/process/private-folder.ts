import { lstatSync, mkdirSync } from 'node:fs'

/**
 * Makes a folder if it does not exist. Returns null if other users can write to it, because code
 * from there is run.
 */
export function privateFolder(path: string | null): string | null {
  if (path === null) return null
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const found = lstatSync(path)
    const own =
      found.isDirectory() && found.uid === process.getuid?.() && (found.mode & 0o022) === 0
    return own ? path : null
  } catch {
    return null
  }
}
