import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repository } from './build.ts'
import { removeFolder } from './temporary-folder.ts'

/** Where the applications under test are: the working directory to serve them from. */
export const appsDirectory = join(repository, 'tests', 'apps')

/** Where the Django project is. */
export const djangoDirectory = join(appsDirectory, 'django_project')

/** A new directory under the system's temporary one. The caller passes `remove` to a hook. */
export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  return { path, remove: () => removeFolder(path) }
}

/** `size` bytes that no two offsets of which look alike; the same for the same size. */
export function patternedBytes(size: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.allocUnsafe(size)
  let state = 0x2545f491
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** Writes patterned bytes to a file and returns them. */
export function writePatternedFile(path: string, size: number): Buffer {
  const bytes = patternedBytes(size)
  writeFileSync(path, bytes)
  return bytes
}
