import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { packageChanges, packagesIn } from './package-changes.ts'

const work = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
afterAll(() => rmSync(work, { recursive: true }))

function folder(name: string, ...entries: string[]): string {
  const path = join(work, name)
  for (const entry of entries) mkdirSync(join(path, entry), { recursive: true })
  return path
}

test('packages are known by their metadata, under the names by which they are compared', () => {
  const found = packagesIn(
    folder('one', 'flask', 'flask-3.1.3.dist-info', 'zope.interface-7.0.dist-info', '__pycache__'),
  )
  expect([...found]).toEqual([
    ['flask', { name: 'flask', version: '3.1.3' }],
    ['zope-interface', { name: 'zope.interface', version: '7.0' }],
  ])
  expect(packagesIn(join(work, 'none')).size).toBe(0)
})

test('what changed is another version, or gone', () => {
  const old = packagesIn(folder('old', 'a-1.dist-info', 'B_b-2.dist-info', 'c-3.dist-info'))
  const now = packagesIn(folder('new', 'a-1.dist-info', 'b.b-2.1.dist-info', 'd-1.dist-info'))
  expect(packageChanges(old, now)).toEqual({
    before: new Map([['b-b', '2']]),
    removed: [{ name: 'c', version: '3' }],
  })
})
