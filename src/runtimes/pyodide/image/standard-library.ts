import { fstatSync, openSync, readSync } from 'node:fs'
import type { PyodideAPI } from 'pyodide'

/** A file of Emscripten's MEMFS. */
interface MemoryFile {
  usedBytes: number
  contents: Uint8Array
  mode: number
  stream_ops: {
    readonly llseek: unknown
    read(
      stream: unknown,
      into: Uint8Array,
      offset: number,
      length: number,
      position: number,
    ): number
  }
}

interface FileSystem {
  analyzePath(path: string): { readonly exists: boolean; readonly object: MemoryFile }
  readonly ErrnoError: new (errno: number) => Error
}

const READ_ONLY_FILE = 0o100444
/** Emscripten uses WASI's error numbers. */
const EIO = 29

/**
 * Puts the standard library's archive where Python looks for it, and reads it from the disk.
 * Pyodide would keep it in memory, once for each interpreter (7 MB). The file stays open, so that
 * Python keeps reading the same archive if a newer one replaces it.
 *
 * Pass the result to `loadPyodide()` as `fsInit`, together with `shareModule`.
 *
 * @param path of the archive
 */
export function readArchive(
  path: string,
): (fs: PyodideAPI['FS'], info: { sitePackages: string }) => Promise<void> {
  return async (fs, { sitePackages }) => {
    // /lib/python3.14/site-packages → /lib/python314.zip
    const [, folder, major, minor] = /^(.*\/python)(\d+)\.(\d+)\//.exec(sitePackages) ?? []
    const place = `${folder}${major}${minor}.zip`
    const files = fs as unknown as FileSystem
    // Pyodide writes what it has read there first, at the same time.
    while (!files.analyzePath(place).exists) await new Promise(setImmediate)
    const file = openSync(path, 'r')
    const { object: node } = files.analyzePath(place)
    node.contents = new Uint8Array(0)
    node.usedBytes = fstatSync(file).size
    node.mode = READ_ONLY_FILE
    node.stream_ops = {
      llseek: node.stream_ops.llseek,
      read: (_stream, into, offset, length, position) => {
        try {
          return readSync(file, into, offset, length, position)
        } catch {
          throw new files.ErrnoError(EIO)
        }
      },
    }
  }
}
