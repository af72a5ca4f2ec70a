import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { repository } from '../support/build.ts'
import { blocksOf, filesOnPage, pageBlocks } from '../support/page-blocks.ts'
import { PageReader } from '../support/page-reader.ts'
import { hasPython } from '../support/python.ts'

// The tutorial is what is tested: every file, every command and every output on its page.

const page = 'docs/guides/tutorial.md'
const blocks = blocksOf(page)
const sections = [...new Set(blocks.map(({ section }) => section))]
const blocksIn = (title: string) => blocks.filter(({ section }) => section === title)

/** A section takes four seconds on a quiet machine. */
const TIMEOUT = 240_000

/** What the page says in words. */
const setUp = pageBlocks(
  '```json file=package.json\n{ "private": true, "type": "module" }\n```\n' +
    '```console run\n$ npm install monoceros\n…\n```\n',
)

describe.skipIf(!hasPython())('the tutorial', () => {
  let reader: PageReader
  beforeAll(async () => {
    reader = await PageReader.start()
    await reader.followBlocks('the preparation', setUp)
  })
  afterAll(() => reader?.close())

  test.each(sections)(
    '%s',
    async (title) => {
      await reader.followBlocks(page, blocksIn(title))
    },
    TIMEOUT,
  )

  test('its TypeScript is right to a strict compiler', () => reader.checkTypes())
})

test('has eight steps behind what WSGI is, each in both languages', () => {
  expect(sections.map((title) => title.split('.')[0])).toEqual([
    'What WSGI is',
    ...Array.from({ length: 8 }, (_, index) => String(index + 1)),
  ])
  for (const title of sections) {
    const marks = blocksIn(title).map((block) => block.marks)
    const servers = marks.flatMap((mark) => mark.get('serve') ?? [])
    const files = marks.flatMap((mark) => mark.get('file') ?? [])
    const languages = files.map((name) => (name.endsWith('.py') ? 'python' : 'typescript'))
    expect(new Set([...languages, ...servers]), title).toEqual(new Set(['python', 'typescript']))
    // What is shown for one is shown for both.
    expect(servers.filter((name) => name === 'python').length, title).toBe(servers.length / 2)
  }
})

test('examples/tutorial has the same files: npm run docs writes them', () => {
  const files = filesOnPage(blocks)
  const examples = join(repository, 'examples', 'tutorial')
  const written = readdirSync(examples).filter((name) => /\.(py|ts)$/.test(name))
  const differing = [...new Set([...written, ...files.keys()])].filter((name) => {
    return !written.includes(name) || readFileSync(join(examples, name), 'utf8') !== files.get(name)
  })
  expect(differing).toEqual([])
})
