import { describe, expect, test } from 'vitest'
import { checkOf, pagesForUsers, UNRUN_REASONS } from '../support/block-checks.ts'
import { blocksOf, type PageBlock } from '../support/page-blocks.ts'

// Every block of code on a page is run, compiled, or given to a parser, or says why not.

const pages = pagesForUsers().map((page) => ({ page, blocks: blocksOf(page) }))
const withBlocks = pages.filter(({ blocks }) => blocks.length > 0)

test('there are pages with blocks', () => {
  expect(withBlocks.length).toBeGreaterThan(40)
})

test.each(withBlocks)('nothing on $page goes unchecked', ({ page, blocks }) => {
  const unchecked = blocks
    .filter((block, index) => checkOf(page, block, blocks[index - 1]) === null)
    .map(({ line, language }) => `${page}:${line}: \`\`\`${language}`)
  expect(unchecked, 'run it, or mark it with unrun=REASON (tests/support/block-checks.ts)').toEqual(
    [],
  )
})

test('few blocks are not run, and each reason is used', () => {
  const all = withBlocks.flatMap(({ blocks }) => blocks)
  const unrun = all.flatMap(({ marks }) => marks.get('unrun') ?? [])
  // A page that cannot be run is rarely needed: think twice before raising this.
  expect(unrun.length / all.length).toBeLessThan(0.15)
  expect(Object.keys(UNRUN_REASONS).filter((reason) => !unrun.includes(reason))).toEqual([])
})

describe('a block', () => {
  const block = (language: string, ...marks: [string, string][]): PageBlock => ({
    line: 1,
    section: '',
    language,
    marks: new Map(marks),
    text: '',
  })

  test('of no known language is found', () => {
    expect(checkOf('docs/guides/x.md', block('cobol'), undefined)).toBeNull()
    expect(checkOf('docs/guides/x.md', block(''), undefined)).toBeNull()
    expect(checkOf('docs/guides/x.md', block('text'), block('console'))).toBeNull()
  })

  test.each(['docs/learn/x.md', 'docs/guides/tutorial.md'])(
    'of %s that no reader follows is found',
    (page) => {
      expect(checkOf(page, block('console'), undefined)).toBeNull()
      expect(checkOf(page, block('python'), undefined)).toBeNull()
    },
  )

  test('needs a reason that exists', () => {
    const unrun = (reason: string) => block('text', ['unrun', reason])
    expect(() => checkOf('README.md', unrun('too-slow'), undefined)).toThrow('no reason "too-slow"')
    expect(() => checkOf('README.md', unrun('tests/x.test.ts'), undefined)).toThrow('no reason')
    expect(checkOf('README.md', unrun('sample'), undefined)).toBe('not run: sample')
  })
})
