import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { FileContents } from './file-contents.ts'

function file(content: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'a.py')
  writeFileSync(path, content)
  return path
}

test('a file that was only touched has not changed', () => {
  const path = file('one')
  const contents = new FileContents()
  expect(contents.changed(path)).toBe(true) // nothing was known of it
  const now = new Date()
  utimesSync(path, now, now)
  expect(contents.changed(path)).toBe(false)
  writeFileSync(path, 'two')
  expect(contents.changed(path)).toBe(true)
  expect(contents.changed(path)).toBe(false)
})

test('an empty file has changed each time: it may be about to be written', () => {
  const path = file('')
  const contents = new FileContents()
  expect([contents.changed(path), contents.changed(path)]).toEqual([true, true])
})

test('a file that is gone has changed, and so has it when it is back', () => {
  const path = file('one')
  const contents = new FileContents()
  contents.changed(path)
  rmSync(path)
  expect(contents.changed(path)).toBe(true)
  writeFileSync(path, 'one')
  expect(contents.changed(path)).toBe(true)
})

test('a file that was written after loading began may have changed since', () => {
  const path = file('one')
  const contents = new FileContents()
  utimesSync(path, 100, 100)
  expect(contents.mayHaveChanged(path, 200_000)).toBe(false)
  expect(contents.changed(path)).toBe(false) // it is known now
  expect(contents.mayHaveChanged(path, 50_000)).toBe(true)
  expect(contents.mayHaveChanged(join(path, 'missing'), 50_000)).toBe(false)
})
