import { readdirSync } from 'node:fs'
import { join, posix } from 'node:path'

/** Folders and files of the repository whose Markdown is part of the site. */
const FOLDERS = ['docs', 'examples', 'site', 'tests', 'bench']
/** The pages of files that are no pages. */
const SOURCES = 'site/source'
/** The reports of the benchmark. */
const REPORTS = 'bench/results'
const ALONE: Readonly<Record<string, string>> = {
  'README.md': 'overview.md',
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'security.md',
  'tests/README.md': 'contributing/tests.md',
  'docs/README.md': 'contents.md',
  'site/index.md': 'index.md',
}

/**
 * Globs that keep everything out of the site that is none of its pages.
 *
 * @param root the repository's folder
 */
export function noPages(root: string): string[] {
  const globs = ['**/.*/**']
  for (const name of readdirSync(root)) {
    if (!FOLDERS.includes(name) && !(name in ALONE)) globs.push(name, `${name}/**`)
  }
  for (const name of ['tests', 'bench', 'site']) {
    for (const inside of readdirSync(join(root, name))) {
      const file = `${name}/${inside}`
      if (!(file in ALONE) && file !== SOURCES && file !== REPORTS) globs.push(file, `${file}/**`)
    }
  }
  return globs
}

/**
 * Where a page of the repository is in the site.
 *
 * @param file its path in the repository, with `/`, such as `docs/guides/tls.md`
 * @returns its path in the site, such as `guides/tls.md`; a README is the page of its folder
 */
export function siteFile(file: string): string {
  const alone = ALONE[file]
  if (alone !== undefined) return alone
  const page = file.replace(/^(docs|site)\//, '').replace(REPORTS, 'reports')
  return posix.basename(page) === 'README.md' ? `${posix.dirname(page)}/index.md` : page
}

/** Whether a file of the repository is a page of the site. */
export function isPage(file: string): boolean {
  if (!file.endsWith('.md')) return false
  return (
    file in ALONE || ['docs/', 'examples/', `${REPORTS}/`].some((folder) => file.startsWith(folder))
  )
}

/** Where a file that is no page is shown in the site. VitePress would cut `.html` and `.md` off. */
export function sourcePage(file: string): string {
  return `source/${file.replace(/\.(html|md)$/, '-$1')}.md`
}
