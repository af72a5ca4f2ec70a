import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repository } from '../support/build.ts'
import { pageBlocks } from '../support/page-blocks.ts'
import { PageReader } from '../support/page-reader.ts'
import { hasPython } from '../support/python.ts'

// The second track, docs/learn/: its pages build one project, so one reader follows all of them in
// their order, in one folder. The pages for people who come from another framework have a folder
// each.

const track = [
  'serve',
  'wrap',
  'mount',
  'stream',
  'upload',
  'test',
  'profile',
  'deploy',
  'operate',
].map((name) => `docs/learn/${name}.md`)

const others = ['flask', 'django', 'express', 'hono'].map((name) => `docs/learn/from-${name}.md`)

/** A page takes four seconds on a quiet machine. */
const TIMEOUT = 240_000

test('every page of docs/learn is followed', () => {
  const pages = readdirSync(join(repository, 'docs', 'learn')).filter(
    (name) => name !== 'README.md',
  )
  expect(pages.map((name) => `docs/learn/${name}`).sort()).toEqual([...track, ...others].sort())
})

describe.skipIf(!hasPython())('the track from a first application to production', () => {
  let reader: PageReader
  beforeAll(async () => {
    reader = await PageReader.start()
  })
  afterAll(() => reader?.close())

  test.each(track)(
    '%s',
    async (page) => {
      await reader.follow(page)
    },
    TIMEOUT,
  )
})

describe.skipIf(!hasPython())('a reader notices', () => {
  let reader: PageReader
  beforeAll(async () => {
    reader = await PageReader.start()
  })
  afterAll(() => reader?.close())

  test.each([
    ['an output that is not the one of the page', 'console run', '$ echo a\nb\n', /to be 'b/],
    ['a command that fails', 'console run', '$ exit 3\n', /expected 3 to be/],
    ['a command that does not fail', 'console run exit=1', '$ true\n', /expected \+?0 to be 1/],
    [
      'that the virtual environment is not active',
      'console run',
      '$ python3 -m venv .venv\n$ pip install flask\n…\n',
      /externally-managed-environment/,
    ],
    [
      'a server that does not start',
      'console serve=a',
      '$ npx monoceros none:app\n…Listening…\n',
      /status 3/,
    ],
    ['a server without a name', 'console serve', '$ true\nup\n', /needs a name/],
    ['a server that is not there', 'console ask=a', '$ true\n', /no server a/],
    ['a block that nobody would run', 'console', '$ true\n', /nobody would run/],
    ['TypeScript that does not compile', 'ts file=a.ts', 'export const a: string = 1\n', /TS2322/],
  ])('%s', async (_, info, text, message) => {
    const install = '```console run\n$ npm install monoceros\n…\n```\n'
    const blocks = pageBlocks(`${install}\`\`\`${info}\n${text}\`\`\`\n`)
    const following = async () => {
      await reader.followBlocks('page.md', blocks)
      await reader.checkTypes()
    }
    await expect(following()).rejects.toThrow(message)
  })
})

describe.skipIf(!hasPython())('people who come from elsewhere', () => {
  test.each(others)(
    '%s',
    async (page) => {
      const reader = await PageReader.start()
      try {
        await reader.follow(page)
      } finally {
        await reader.close()
      }
    },
    TIMEOUT,
  )
})
