/** Versions by Semantic Versioning 2.0: three numbers, and what stands behind a hyphen. */

const LEVELS = ['patch', 'minor', 'major']
const PATTERN =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?$/

/** A mistake of the person who releases: its message is all that they need. */
export class ReleaseError extends Error {}

/** @returns {{ numbers: number[], pre: string[] } | null} null if it is not a version */
export function parseVersion(text) {
  const match = PATTERN.exec(text)
  if (match === null) return null
  return { numbers: match.slice(1, 4).map(Number), pre: match[4]?.split('.') ?? [] }
}

/** @returns {number} negative if `a` comes before `b` (SemVer §11) */
export function compareVersions(a, b) {
  const [left, right] = [parseVersion(a), parseVersion(b)]
  for (const [index, number] of left.numbers.entries())
    if (number !== right.numbers[index]) return number - right.numbers[index]
  if (left.pre.length === 0 || right.pre.length === 0) return right.pre.length - left.pre.length
  for (let index = 0; ; index += 1) {
    const [one, other] = [left.pre[index], right.pre[index]]
    if (one === undefined || other === undefined)
      return (one === undefined ? 0 : 1) - (other === undefined ? 0 : 1)
    if (one !== other) return compareIdentifiers(one, other)
  }
}

/** Numbers come before names, and are compared as numbers. */
function compareIdentifiers(a, b) {
  const [left, right] = [a, b].map((text) => (/^\d+$/.test(text) ? Number(text) : Number.NaN))
  if (Number.isNaN(left) && Number.isNaN(right)) return a < b ? -1 : 1
  if (Number.isNaN(left)) return 1
  return Number.isNaN(right) ? -1 : left - right
}

/**
 * The same version as Python writes it (PEP 440): `1.2.0rc1` for `1.2.0-rc.1`.
 *
 * @throws {ReleaseError} for what stands behind a hyphen and that Python does not know
 */
export function pythonVersion(version) {
  const { numbers, pre } = parseVersion(version)
  if (pre.length === 0) return numbers.join('.')
  const letter = { alpha: 'a', beta: 'b', rc: 'rc' }[pre[0]]
  if (letter === undefined || pre.length !== 2 || !/^\d+$/.test(pre[1]))
    throw new ReleaseError(
      `${version}: write alpha.1, beta.1 or rc.1 behind the hyphen, for Python.`,
    )
  return `${numbers.join('.')}${letter}${pre[1]}`
}

/**
 * The version to release.
 *
 * @param {string} wanted `major`, `minor`, `patch`, or a version
 * @param {string | null} last the last release; null if there is none
 * @returns {string}
 * @throws {ReleaseError} for what is no version, or not larger than the last
 */
export function nextVersion(wanted, last) {
  if (LEVELS.includes(wanted)) {
    if (last === null)
      throw new ReleaseError(
        `There is no release yet: name the first version, instead of ${wanted}.`,
      )
    const [major, minor, patch] = parseVersion(last).numbers
    if (wanted === 'major') return `${major + 1}.0.0`
    return wanted === 'minor' ? `${major}.${minor + 1}.0` : `${major}.${minor}.${patch + 1}`
  }
  if (parseVersion(wanted) === null)
    throw new ReleaseError(`${wanted} is no version: write major, minor, patch, or X.Y.Z.`)
  pythonVersion(wanted)
  if (last !== null && compareVersions(wanted, last) <= 0)
    throw new ReleaseError(`${wanted} is not larger than ${last}, the last release.`)
  return wanted
}

/** @returns {'patch' | 'minor' | 'major'} which number of the version is raised */
export function levelBetween(last, next) {
  const [before, after] = [parseVersion(last).numbers, parseVersion(next).numbers]
  const index = after.findIndex((number, at) => number !== before[at])
  return ['major', 'minor', 'patch'][index] ?? 'patch'
}

/**
 * Which number must be raised for changes of what is public. Before 1.0, the second number is for
 * changes that break (SemVer §4 allows more).
 *
 * @param {string} last the last release
 * @param {readonly { breaking: boolean }[]} changes
 * @returns {'patch' | 'minor' | 'major'}
 */
export function levelFor(last, changes) {
  const unstable = parseVersion(last).numbers[0] === 0
  if (changes.some(({ breaking }) => breaking)) return unstable ? 'minor' : 'major'
  return changes.length > 0 && !unstable ? 'minor' : 'patch'
}

/** @returns {boolean} whether raising `level` is enough where `needed` must be raised */
export function suffices(level, needed) {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(needed)
}
