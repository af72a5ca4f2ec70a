import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { changesBetween } from './changes.mjs'

/**
 * What has changed of what is public since the last release, by the reports in `api` and
 * `api/released`.
 *
 * @param {string} root a clone
 * @returns {({ report: string } & import('./changes.mjs').ApiChange)[] | null} null before the
 * first release
 */
export function changesSinceRelease(root) {
  const now = join(root, 'api')
  const released = join(now, 'released')
  if (!existsSync(released)) return null
  const names = new Set([...readdirSync(released), ...readdirSync(now)])
  return [...names]
    .filter((name) => name.endsWith('.api.md'))
    .sort()
    .flatMap((name) => {
      const [before, after] = [released, now].map((folder) => readReport(join(folder, name)))
      const report = name.replace(/\.api\.md$/, '')
      return changesBetween(before, after).map((change) => ({ report, ...change }))
    })
}

/**
 * The changes that break and that the changelog does not name.
 *
 * @param {readonly import('./changes.mjs').ApiChange[]} changes
 * @param {string} section what the changelog says of the next release
 */
export function unnamedIn(section, changes) {
  return changes.filter(({ breaking, name }) => {
    const word = name.replace(/^(setting|exit statuses of|variable|def) /, '').replace(/\(.*/, '')
    return breaking && !section.includes(word)
  })
}

/** A report that is missing has nothing in it. */
function readReport(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
