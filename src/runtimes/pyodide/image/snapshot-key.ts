import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { version } from '../../../settings/version.ts'
import { pyodideVersion, pythonFolder } from '../package.ts'

/** Increase it when a snapshot of the same interpreter would be different. */
const FORMAT = 2

/**
 * A digest of everything that a snapshot depends on: 64 hexadecimal digits.
 *
 * @param stdlib the path of the standard library's archive
 */
export async function snapshotKey(stdlib: string): Promise<string> {
  const hash = createHash('sha256')
  const add = (value: string | Uint8Array) => hash.update(`${value.length}:`).update(value)
  add(`${FORMAT} ${version} pyodide ${pyodideVersion}`)
  add(await directoryOf(stdlib))
  // Python determines the time zone when it starts.
  add(Intl.DateTimeFormat().resolvedOptions().timeZone)
  // Modules contain their paths.
  add(pythonFolder)
  // The snapshot contains modules of both packages.
  for (const folder of ['monoceros', 'monoceros_pyodide']) {
    const modules = readdirSync(join(pythonFolder, folder)).filter((name) => name.endsWith('.py'))
    for (const name of modules.sort()) {
      add(join(folder, name))
      add(readFileSync(join(pythonFolder, folder, name)))
    }
  }
  return hash.digest('hex')
}

/**
 * The end of a zip archive, which contains its directory: the names, places and checksums of all
 * members. The directory has 0.1 MB, the archive 7 MB.
 */
async function directoryOf(archive: string): Promise<Uint8Array> {
  const file = await open(archive)
  try {
    const { size } = await file.stat()
    const length = Math.min(size, 256 * 1024)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
