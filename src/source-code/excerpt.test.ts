import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { excerptAt, excerptHtml } from './excerpt.ts'

test('an excerpt has the lines around a place, of source files only', () => {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index + 1}`)
  for (const name of ['a.py', 'secret.txt']) writeFileSync(join(folder, name), lines.join('\n'))
  const around = (at: typeof place) => excerptAt(at, /\.py$/, 4)
  const place = { file: join(folder, 'a.py'), line: 10 }
  expect(around(place)).toEqual({ first: 6, lines: lines.slice(5, 14) })
  expect(around({ ...place, line: 1 })).toEqual({ first: 1, lines: lines.slice(0, 5) })
  expect(around({ ...place, line: 21 })).toBeNull()
  expect(around({ ...place, file: join(folder, 'secret.txt') })).toBeNull()
  expect(around({ ...place, file: join(folder, 'missing.py') })).toBeNull()
})

test('the marked line of an excerpt is the one with that number, and its text is escaped', () => {
  const html = excerptHtml({ first: 9, lines: ['a', '<b>'] }, 10)
  expect(html).toBe(' 9  a\n<mark>10  &lt;b&gt;</mark>')
})
