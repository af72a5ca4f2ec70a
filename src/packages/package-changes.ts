/** What an installation has changed, by the names and versions of packages in two folders. */
import { readdirSync } from 'node:fs'

/** The packages of a folder: versions by normalized names. */
export type Packages = ReadonlyMap<string, InstalledPackage>

/** A package as its metadata folder names it. */
export interface InstalledPackage {
  readonly name: string
  readonly version: string
}

/** The difference of two folders. */
export interface PackageChanges {
  /** The version that was there before, by normalized name. */
  readonly before: ReadonlyMap<string, string>
  /** Packages that are not there any more. */
  readonly removed: readonly InstalledPackage[]
}

/**
 * The packages in a folder, by the names of their `dist-info` folders (Binary distribution format,
 * "The .dist-info directory"). None if the folder does not exist.
 */
export function packagesIn(folder: string): Packages {
  const found = new Map<string, InstalledPackage>()
  let entries: string[]
  try {
    entries = readdirSync(folder)
  } catch {
    return found
  }
  for (const entry of entries) {
    const match = /^(.+)-([^-]+)\.dist-info$/.exec(entry)
    if (match === null) continue
    const [, name, version] = match as unknown as [string, string, string]
    found.set(normalized(name), { name, version })
  }
  return found
}

/** Compares the packages of a folder with those that take their place. */
export function packageChanges(old: Packages, now: Packages): PackageChanges {
  const before = new Map<string, string>()
  const removed: InstalledPackage[] = []
  for (const [name, was] of old) {
    const is = now.get(name)
    if (is === undefined) removed.push(was)
    else if (is.version !== was.version) before.set(name, was.version)
  }
  return { before, removed }
}

/** The form in which names of packages are compared: `Zope.Interface` is `zope-interface`. */
export function normalized(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase()
}
