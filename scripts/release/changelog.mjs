import { ReleaseError } from './version.mjs'

const UNRELEASED = '## [Unreleased]'

/**
 * Gives the section of what is not released yet the version and the date, and puts an empty one
 * above it.
 *
 * @param {string} text CHANGELOG.md
 * @param {string} version
 * @param {string} date as YYYY-MM-DD
 * @returns {string}
 * @throws {ReleaseError} if the section is missing or empty, or the version has one already
 */
export function releaseSection(text, version, date) {
  if (text.split('\n').some((line) => line.startsWith(`## [${version}]`)))
    throw new ReleaseError(`CHANGELOG.md has a section for ${version} already.`)
  const at = text.indexOf(`${UNRELEASED}\n`)
  if (at < 0) throw new ReleaseError(`CHANGELOG.md has no line "${UNRELEASED}".`)
  if (sectionOf(text, 'Unreleased').replace(/^#.*$/gm, '').trim() === '')
    throw new ReleaseError(
      'The section Unreleased of CHANGELOG.md is empty: say what this release changes.',
    )
  const end = at + UNRELEASED.length
  return `${text.slice(0, end)}\n\n## [${version}] - ${date}${text.slice(end)}`
}

/**
 * @param {string} text CHANGELOG.md
 * @param {string} version or `Unreleased`
 * @returns {string} the text below its heading; empty if there is none
 */
export function sectionOf(text, version) {
  const lines = text.split('\n')
  const start = lines.findIndex((line) => line.startsWith(`## [${version}]`))
  if (start < 0) return ''
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('## '))
  return lines
    .slice(start + 1, length < 0 ? undefined : start + 1 + length)
    .join('\n')
    .trim()
}
