import { commandReport } from './command-report.mjs'
import { declarationsReport } from './declarations-report.mjs'
import { typedEntries } from './entries.mjs'
import { pythonReport } from './python-report.mjs'

/**
 * All reports of what is public, as they are kept in the folder `api`.
 *
 * @param {string} root the folder of the package; its `dist` has been built
 * @returns {Promise<Map<string, string>>} by file name
 */
export async function apiReports(root) {
  const reports = new Map()
  for (const entry of typedEntries(root))
    reports.set(`${entry.report}.api.md`, declarationsReport(root, entry))
  reports.set('command.api.md', await commandReport(root))
  reports.set('python.api.md', pythonReport(root))
  return reports
}
