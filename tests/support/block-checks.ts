import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './build.ts'
import type { PageBlock } from './page-blocks.ts'
import { READER_MARKS } from './page-reader.ts'

// How the suite makes sure of each block of code on a page. A block that nothing checks needs a
// mark `unrun=REASON` behind its language, where readers do not see it.

/** Why a block is not run: these, or the path of the test that shows the same in another way. */
export const UNRUN_REASONS: Readonly<Record<string, string>> = {
  clone: 'it is for a clone of the repository; continuous integration runs it as it is',
  container: 'it needs Docker',
  machine: 'it changes a machine, as root, or needs another machine',
  sample: 'it was printed once, by a server with a fault or a load that is not the next time’s',
}

/** Pages whose blocks a test of their own follows, whatever they are. */
const PAGES_OF_TESTS: Readonly<Record<string, string>> = {
  'docs/guides/bun-deno-workers.md': 'tests/release/bun-and-deno.test.ts',
  'docs/guides/how-to/tests.md': 'tests/release/test-runners.test.ts',
  'docs/guides/node-servers.md': 'tests/release/framework-matrix.test.ts',
}

/** Pages whose files are compared with projects that are built and run. */
const PROJECT_PAGES: Readonly<Record<string, string>> = {
  'docs/guides/mounting.md': 'tests/e2e/one-process.test.ts',
  'docs/guides/next.md': 'tests/repository/framework-pages.test.ts',
  'docs/guides/nuxt-sveltekit-astro.md': 'tests/repository/framework-pages.test.ts',
}

/** What tests/release/guide-blocks.test.ts gives to a parser. */
export const PARSED_LANGUAGES = [
  'caddy',
  'dockerfile',
  'haproxy',
  'ini',
  'js',
  'json',
  'nginx',
  'python',
  'yaml',
]

/** The pages that are for users, by their paths in the repository. */
export function pagesForUsers(): string[] {
  const below = (folder: string) =>
    readdirSync(join(repository, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
      .map((name) => join(folder, name))
  return [
    'README.md',
    'SECURITY.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'tests/README.md',
    ...below('docs'),
    ...below('examples'),
    'packages/pyodide/README.md',
    'packages/wheel/README.md',
  ].sort()
}

/**
 * How a block is checked, in a few words; null if nothing checks it.
 *
 * @param before the block in front of it on its page
 * @throws Error for a mark whose reason does not exist
 */
export function checkOf(
  page: string,
  block: PageBlock,
  before: PageBlock | undefined,
): string | null {
  const { language, marks } = block
  // Each is made to happen by the test that src/messages names; the examples are run as they are.
  if (page.startsWith('docs/errors/')) return 'tests/release/error-codes.test.ts'
  const reason = marks.get('unrun')
  if (reason !== undefined) {
    if (reason in UNRUN_REASONS || existsSync(join(repository, reason))) return `not run: ${reason}`
    throw new Error(`${page}:${block.line}: there is no reason "${reason}"`)
  }
  if (page in PAGES_OF_TESTS) return `followed by ${PAGES_OF_TESTS[page]}`
  if (page.startsWith('docs/learn/') || page === 'docs/guides/tutorial.md')
    return READER_MARKS.some((mark) => marks.has(mark)) ? 'followed by a reader' : null
  if (/^examples\/[^/]+\/README\.md$/.test(page) && language === 'console') {
    const followed = ['install', 'run', 'serve', 'ask'].some((mark) => marks.has(mark))
    return followed ? 'followed by tests/release/examples.test.ts' : null
  }
  // Generated from src/messages/, whose lines are what the tests of the codes expect.
  if (page.startsWith('docs/errors/'))
    return 'generated; tests/release/error-codes.test.ts makes errors happen'
  if (page === 'docs/guides/deploy.md' && (marks.has('file') || marks.has('run')))
    return 'followed by tests/release/deploy-page.test.ts'
  if (page in PROJECT_PAGES && marks.has('file')) return `compared by ${PROJECT_PAGES[page]}`
  if (language === 'ts') return 'compiled'
  if (language === 'python' && marks.has('run')) return 'run'
  if (language === 'text' && before?.marks.has('run')) return 'compared with what is printed'
  if (language === 'text' && /[─│→]/.test(block.text)) return 'a picture in letters'
  if (PARSED_LANGUAGES.includes(language)) return 'parsed'
  if (language === 'console') return 'run line by line'
  return null
}
