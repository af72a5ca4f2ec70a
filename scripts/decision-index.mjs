/**
 * The list of decisions in docs/decisions/README.md, made from the pages beside it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Reads the decisions of a folder, in the order of their numbers.
 *
 * @param {string} folder docs/decisions
 * @returns {{ name: string, title: string, status: string }[]}
 * @throws {Error} if a page has no title with its number, or no status
 */
export function decisionsIn(folder) {
  return readdirSync(folder)
    .filter((name) => /^\d{3}-.*\.md$/.test(name))
    .sort()
    .map((name) => {
      const text = readFileSync(join(folder, name), 'utf8')
      const heading = /^# (\d+)\. (.+)\n\nStatus: (.+)\n/.exec(text)
      if (heading === null || Number(heading[1]) !== Number.parseInt(name, 10)) {
        throw new Error(`${name} must begin with "# NUMBER. TITLE", a blank line and "Status: …"`)
      }
      return { name, title: heading[2], status: heading[3] }
    })
}

const begin = '<!-- decisions: generated from the pages of this folder by `npm run docs` -->'
const end = '<!-- /decisions -->'

/**
 * Puts the current list between the markers of a page.
 *
 * @param {string} page the text of docs/decisions/README.md
 * @param {string} folder docs/decisions
 */
export function withDecisionsListed(page, folder) {
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from === -1 || to < from) throw new Error('docs/decisions/README.md has lost its markers')
  const rows = decisionsIn(folder).map(
    ({ name, title, status }) =>
      `| ${Number.parseInt(name, 10)} | [${title}](${name}) | ${status} |\n`,
  )
  const table = `| number | decision | status |\n|---:|---|---|\n${rows.join('')}`
  return `${page.slice(0, from)}${begin}\n\n${table}\n${page.slice(to)}`
}
