/** What an installation is asked for, so that the same request is known again. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { InstallOptions } from './install-options.ts'

/** What a request is read from, besides its options. */
export interface RequestPlace {
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** With these, an installation may have something to do although the packages are there. */
const ASKS_AGAIN = /^--(upgrade|upgrade-strategy|force-reinstall|pre|constraint|no-deps)\b/

/**
 * A digest of the requirements: the same for the same names, and the same contents of requirements
 * files. Null if an installation must look: for upgrades and the like, paths and addresses, and
 * files that name others.
 */
export function requestOf(options: InstallOptions, { cwd, env }: RequestPlace): string | null {
  if (options.locked || options.pip.some((option) => ASKS_AGAIN.test(option))) return null
  // pip reads these as it reads its options.
  if (Object.keys(env).some((name) => /^PIP_(UPGRADE|FORCE_|PRE$|CONSTRAINT|NO_DEPS)/.test(name)))
    return null
  const wanted: string[] = []
  for (const requirement of options.requirements) {
    if (!NAMES_A_PACKAGE.test(requirement)) return null
    wanted.push(requirement)
  }
  for (const option of options.pip) {
    const file = /^--requirement=(.*)$/s.exec(option)?.[1]
    if (file === undefined) continue
    const lines = requirementsIn(resolve(cwd, file))
    if (lines === null) return null
    wanted.push(...lines)
  }
  return createHash('sha256').update(wanted.sort().join('\n')).digest('hex')
}

/** A name with extras, versions and markers; neither a path nor an address (PEP 508). */
const NAMES_A_PACKAGE = /^[A-Za-z0-9][\w.-]*\s*(\[[\w\s,.-]*\])?\s*([<>=!~][^@/]*)?(;[^/]*)?$/

/** The requirements of a file; null if it cannot be read, or has more than names. */
function requirementsIn(path: string): string[] | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return null
  }
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
  return lines.every((line) => NAMES_A_PACKAGE.test(line)) ? lines : null
}
