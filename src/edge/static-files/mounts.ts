import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Span } from '../../bytes/span.ts'
import { StaticRoot } from '../../files/static-root.ts'
import { SLASH } from '../../semantics/syntax.ts'

/** A folder whose files are served below a path. */
export interface Mount {
  /** As the application would see it: decoded, without a slash at its end. Empty for all paths. */
  readonly path: Buffer
  readonly root: StaticRoot
  /** The folder itself had an index when the server was started. */
  readonly hasIndex: boolean
}

/** The file for a directory, and for the pages of a single-page application. */
export const INDEX = 'index.html'

/**
 * The mounts of some folders, those with the longest paths first.
 *
 * @param folders by paths: `{ '/static': '/srv/static' }`
 * @throws the error of the file system for a folder that does not exist
 */
export function mountsOf(folders: Readonly<Record<string, string>>): Mount[] {
  return Object.entries(folders)
    .map(([path, folder]) => ({
      path: Buffer.from(path === '/' ? '' : path),
      root: new StaticRoot(folder, false),
      hasIndex: existsSync(join(folder, INDEX)),
    }))
    .sort((a, b) => b.path.length - a.path.length)
}

/** The mount that a path is at or below; undefined if there is none. */
export function mountOf(mounts: readonly Mount[], path: Span): Mount | undefined {
  for (const mount of mounts) if (isBelow(path, mount.path)) return mount
  return undefined
}

function isBelow({ bytes, start, end }: Span, prefix: Buffer): boolean {
  const { length } = prefix
  const prefixEnd = start + length
  if (prefixEnd > end || (prefixEnd < end && bytes[prefixEnd] !== SLASH)) return false
  for (let i = 0; i < length; i++) if (bytes[start + i] !== prefix[i]) return false
  return true
}

/** The path of a request below a mount: '' or beginning with a slash. */
export function pathWithin(mount: Mount, key: string): string {
  return key.slice(mount.path.length)
}
