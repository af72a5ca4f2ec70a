import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '../support/build.ts'
import { markedBlocks } from '../support/marked-blocks.ts'

// The projects are type-checked, built and run by tests/release/next.test.ts and
// tests/release/fetch-frameworks.test.ts.
test.each([
  ['docs/guides/next.md', 'tests/node-projects/next', 5],
  ['docs/guides/nuxt-sveltekit-astro.md', 'tests/node-projects', 4],
])('%s shows the files of %s', (page, folder, count) => {
  const blocks = markedBlocks(readFileSync(join(repository, page), 'utf8'))
  expect(blocks.length).toBe(count)
  for (const { file, text } of blocks) {
    expect(text, file!).toBe(readFileSync(join(repository, folder, file!), 'utf8'))
  }
})
