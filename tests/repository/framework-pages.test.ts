import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '../support/build.ts'
import { blocksOf, filesOnPage } from '../support/page-blocks.ts'

// The projects are type-checked, built and run by tests/release/next.test.ts and
// tests/release/fetch-frameworks.test.ts.
test.each([
  ['docs/guides/next.md', 'tests/node-projects/next', 5],
  ['docs/guides/nuxt-sveltekit-astro.md', 'tests/node-projects', 4],
])('%s shows the files of %s', (page, folder, count) => {
  const files = filesOnPage(blocksOf(page))
  expect(files.size).toBe(count)
  for (const [name, text] of files)
    expect(text, name).toBe(readFileSync(join(repository, folder, name), 'utf8'))
})
