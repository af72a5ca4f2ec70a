import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Makes the tarball of a package whose files are put together.
 *
 * @param {string} folder of the package
 * @param {string} target the folder for the tarball
 * @returns {{ name: string, tarball: string, size: number, unpackedSize: number }} in bytes
 */
export function packFolder(folder, target) {
  openToAll(folder)
  const [{ name, filename, size, unpackedSize }] = JSON.parse(
    execFileSync(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', target, folder],
      {
        cwd: target,
        encoding: 'utf8',
        maxBuffer: 64 * 1024 * 1024,
      },
    ),
  )
  return { name, tarball: join(target, filename), size, unpackedSize }
}

/** Whoever installs it may read it, whatever the umask of who packed it; so the bytes are alike. */
function openToAll(folder) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name)
    chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755)
  }
}
