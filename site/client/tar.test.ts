import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tar } from './tar.ts'

test('tar takes the archive', () => {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-tar-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const files = new Map([
    ['step/hello.py', 'print("Grüße")\n'],
    ['step/lib/empty.txt', ''],
    ['step/full.txt', 'x'.repeat(512)],
  ])
  writeFileSync(join(folder, 'x.tar'), tar(files, 1_700_000_000))
  execFileSync('tar', ['-xf', 'x.tar'], { cwd: folder })
  for (const [path, text] of files) expect(readFileSync(join(folder, path), 'utf8')).toBe(text)
  expect(() => tar(new Map([['x'.repeat(101), '']]), 0)).toThrow(RangeError)
})
