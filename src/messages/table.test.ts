import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compactTable, renderIndex, renderPage } from './pages.ts'
import type { MessageRow } from './row.ts'
import { TABLE } from './table.ts'

// Every error and warning has a code, a page, and a test that makes it happen. That no line is
// without a code is the compiler's work (logs and errors take a `Coded`), and for Python that of
// python/tests/test_codes.py.

const repository = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(repository, path), 'utf8')
const rows: Readonly<Record<string, MessageRow>> = TABLE

function sourcesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(repository, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && !name.endsWith('.test.ts'))
    .filter((name) => !name.startsWith('messages/'))
    .map((name) => join(folder, name))
}

const sources = [
  ...sourcesBelow('src', '.ts'),
  ...sourcesBelow('python/monoceros', '.py'),
  ...sourcesBelow('packages/learn', '.js'),
]

test('the code of the server and the table have the same codes', () => {
  const found = sources.flatMap((path) => [...read(path).matchAll(/MONO\d{4}/g)].map(String))
  const inComments = new Set(['MONO1001'])
  const used = new Set(found.filter((code) => !inComments.has(code) || code in rows))
  expect([...used].sort()).toEqual(Object.keys(rows).sort())
})

test('what a command writes to standard error with its name has a code, or is a note', () => {
  const wrong = sourcesBelow('src/cli', '.ts')
    .concat(sourcesBelow('src/control', '.ts'), sourcesBelow('src/packages', '.ts'))
    .concat(sourcesBelow('packages/learn', '.js'))
    .flatMap((path) =>
      [...read(path).matchAll(/['`]monoceros(?: \w+)?: ([^\n]*)/g)]
        .filter(
          ([, text = '']) =>
            !/^note: |coded\(|\.message|^\$\{(?:text|line)\}|^warning: \$\{coded\(|^\$\{coded\(|^--workers|^saved \$\{/.test(
              text,
            ),
        )
        .map(([line]) => `${path}: ${line}`),
    )
  expect(wrong).toEqual([])
})

describe.each(Object.entries(rows))('%s', (code, row) => {
  test('has a page, which is up to date', () => {
    expect(read(`docs/errors/${code}.md`)).toBe(renderPage(code, row))
  })

  test('is made to happen by a test', () => {
    const isSeen = row.test === 'examples' || read(row.test).includes(code)
    expect(isSeen, row.test).toBe(true)
    expect(row.test).toMatch(/^examples$|\.test\.ts$|^python\/tests\/test_\w+\.py$/)
  })
})

test('the index has all of them, and there are no other pages', () => {
  const index = read('docs/reference/errors.md')
  expect(index).toBe(renderIndex(rows))
  for (const code of Object.keys(rows)) expect(index).toContain(`[${code}]`)
  expect(readdirSync(join(repository, 'docs/errors')).sort()).toEqual(
    Object.keys(rows)
      .map((code) => `${code}.md`)
      .sort(),
  )
})

test('what the command explain reads is the table', () => {
  const [code = '', row] = Object.entries(compactTable(rows))[0] ?? []
  expect(row?.cause).toBe(rows[code]?.cause.replace(/\s*\n\s*/g, ' '))
})
