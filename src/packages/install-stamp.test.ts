import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { InstallFolder } from './install-folder.ts'
import { isStamped, STAMP_NAME, stamp } from './install-stamp.ts'

const lock = 'lock-version = "1.0"\n'
let cwd: string
let folder: string

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  folder = join(cwd, 'python_modules')
  fill(folder)
})

afterEach(() => rmSync(cwd, { recursive: true }))

/** A package `a`, with its list of files. */
function fill(into: string): void {
  mkdirSync(join(into, 'a-1.dist-info'), { recursive: true })
  mkdirSync(join(into, 'a', 'b'), { recursive: true })
  writeFileSync(
    join(into, 'a-1.dist-info', 'RECORD'),
    'a/__init__.py,,\na/b/c.py,,\na-1.dist-info/RECORD,,\n',
  )
  writeFileSync(join(into, 'a', '__init__.py'), 'one')
  writeFileSync(join(into, 'a', 'b', 'c.py'), 'two')
  symlinkSync('c.py', join(into, 'a', 'b', 'd.py'))
}

test('a folder is what was stamped, also under another name, in a copy, and after it was used', () => {
  expect(isStamped(folder, lock)).toBe(false)
  stamp(folder, lock)
  expect(isStamped(folder, lock)).toBe(true)
  mkdirSync(join(folder, 'a', '__pycache__'))
  writeFileSync(join(folder, 'a', '__pycache__', '__init__.cpython-314.pyc'), '')
  const copy = join(cwd, 'copy')
  cpSync(folder, copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  expect(isStamped(copy, lock)).toBe(true)
})

test.each<[string, (at: (path: string) => string) => void]>([
  ['a file more', (at) => writeFileSync(at('a/new.py'), '')],
  ['a package more', (at) => mkdirSync(at('z')) ?? writeFileSync(at('z/__init__.py'), '')],
  ['a file less', (at) => rmSync(at('a/b/c.py'))],
  ['a file of another length', (at) => writeFileSync(at('a/b/c.py'), 'three')],
  ['a file of another time', (at) => utimesSync(at('a/b/c.py'), 1, 1)],
  ['a file of another name', (at) => renameSync(at('a/b/c.py'), at('a/b/e.py'))],
  [
    'a link to elsewhere',
    (at) => rmSync(at('a/b/d.py')) ?? symlinkSync('/nowhere', at('a/b/d.py')),
  ],
  ['a stamp that is none', (at) => writeFileSync(at(STAMP_NAME), 'null')],
  ['a stamp cut off', (at) => writeFileSync(at(STAMP_NAME), '{"by": ')],
])('with %s it is not', (_, change) => {
  stamp(folder, lock)
  change((path) => join(folder, path))
  expect(isStamped(folder, lock)).toBe(false)
})

test('with another lock file it is not', () => {
  stamp(folder, lock)
  expect(isStamped(folder, `${lock}# changed\n`)).toBe(false)
})

/** What an installation does that puts another package there. */
function install(whole = true): void {
  const taken = InstallFolder.take('python_modules', cwd, false)
  mkdirSync(join(taken.stage, 'n-1.dist-info'), { recursive: true })
  writeFileSync(join(taken.stage, 'n-1.dist-info', 'RECORD'), '')
  taken.commit(lock, whole)
  taken.release()
}

const upToDate = () => InstallFolder.upToDate('python_modules', cwd) !== null

test('an installation says that a folder has what is locked only if it had what was locked before, or nothing', () => {
  // Nobody knows where this package came from.
  install()
  expect(upToDate()).toBe(false)
  rmSync(folder, { recursive: true })
  install()
  expect(upToDate()).toBe(true)
  install()
  expect(upToDate()).toBe(true)
  writeFileSync(join(folder, 'stray.py'), '')
  install()
  expect(upToDate()).toBe(false)
})

test('nor if it installed what is not in the lock file, while another is at work, or when there is no lock file', () => {
  rmSync(folder, { recursive: true })
  install(false)
  expect(upToDate()).toBe(false)
  rmSync(folder, { recursive: true })
  install()
  const other = InstallFolder.take('python_modules', cwd, false)
  expect(upToDate()).toBe(false)
  other.release()
  expect(upToDate()).toBe(true)
  rmSync(join(cwd, 'pylock.monoceros.toml'))
  expect(upToDate()).toBe(false)
})
