/** The files in a folder of packages. */
import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { join } from 'node:path'
import { STAMP_NAME } from './install-stamp.ts'

/** The names in a folder of packages that no package has installed, according to their RECORDs. */
export function strangersIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder)
  const known = new Set(['bin', '__pycache__', STAMP_NAME])
  for (const name of names) {
    if (!/\.(dist|egg)-info$/.test(name)) continue
    known.add(name)
    const record = join(folder, name, 'RECORD')
    if (!existsSync(record)) continue
    for (const line of readFileSync(record, 'utf8').split('\n'))
      known.add(/^"?([^/,"]*)/.exec(line)?.[1] ?? '')
  }
  return names.filter((name) => !known.has(name))
}

/**
 * Copies a folder by hard links. pip replaces files and never writes into one, so the original does
 * not change. Files are copied if the file system has no hard links.
 */
export function copyByLinks(from: string, to: string): void {
  mkdirSync(to, { mode: statSync(from).mode & 0o777 })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    if (entry.isDirectory()) copyByLinks(source, target)
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else if (lstatSync(source).isFile()) linkOrCopy(source, target)
  }
}

function linkOrCopy(source: string, target: string): void {
  try {
    linkSync(source, target)
  } catch {
    copyFileSync(source, target)
  }
}
