import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { identityText, processIdentity } from '../runtimes/pyodide/process-identity.ts'
import { InstallError } from './install-error.ts'
import { InstallFolder } from './install-folder.ts'

let cwd: string
let target: string

beforeEach(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'monoceros-test-')))
  target = join(cwd, 'python_modules')
})

afterEach(() => rmSync(cwd, { recursive: true }))

function fill(): void {
  mkdirSync(join(target, 'a'), { recursive: true })
  writeFileSync(join(target, 'a', '__init__.py'), 'old')
  symlinkSync('a', join(target, 'link'))
}

/** What a process has written down that is no more. */
function ended(): string {
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  return `${identityText({ ...processIdentity(), pid })}\n`
}

const work = () => join(cwd, '.python_modules.installing')

test('the copy has what the folder has, and takes its place with the lock file', () => {
  fill()
  const folder = InstallFolder.take('python_modules', cwd, false)
  expect(readdirSync(folder.stage).sort()).toEqual(['a', 'link'])
  const copied = join(folder.stage, 'a', '__init__.py')
  expect(readFileSync(copied, 'utf8')).toBe('old')
  // As pip does it: by a new file.
  unlinkSync(copied)
  writeFileSync(copied, 'new')
  expect(readFileSync(join(target, 'a', '__init__.py'), 'utf8')).toBe('old')
  folder.commit('locked\n')
  folder.release()
  expect(readFileSync(join(target, 'a', '__init__.py'), 'utf8')).toBe('new')
  expect(readFileSync(join(cwd, 'pylock.monoceros.toml'), 'utf8')).toBe('locked\n')
  expect(readdirSync(cwd).sort()).toEqual(['pylock.monoceros.toml', 'python_modules'])
})

test('what is given up leaves the folder as it was', () => {
  fill()
  const folder = InstallFolder.take('python_modules', cwd, true)
  expect(readdirSync(folder.stage)).toEqual([])
  folder.release()
  expect(readdirSync(cwd)).toEqual(['python_modules'])
  expect(readFileSync(join(target, 'a', '__init__.py'), 'utf8')).toBe('old')
})

test('to install exactly what is locked removes packages, and nothing that was never installed', () => {
  const elsewhere = join(cwd, 'project')
  mkdirSync(join(elsewhere, 'a-1.dist-info'), { recursive: true })
  mkdirSync(join(elsewhere, 'a'))
  writeFileSync(
    join(elsewhere, 'a-1.dist-info', 'RECORD'),
    'a/__init__.py,,\n"b,c.py",,\n../../bin/a,,\n',
  )
  const folder = InstallFolder.take('project', cwd, true)
  expect(readdirSync(folder.stage)).toEqual([])
  folder.release()
  writeFileSync(join(elsewhere, 'thesis.tex'), 'years of work')
  // Such as a python_modules that came with a project of somebody else's.
  symlinkSync('project', target)
  for (const path of ['project', 'python_modules'])
    expect(() => InstallFolder.take(path, cwd, true)).toThrow(
      `${elsewhere} contains files that do not belong to a package (thesis.tex).`,
    )
  for (const path of ['project', 'python_modules'])
    expect(() => InstallFolder.take(path, cwd, true)).toThrow(/ \[MONO7105\]$/)
  InstallFolder.take('project', cwd, false).release()
  expect(readdirSync(cwd).sort()).toEqual(['project', 'python_modules'])
})

test('a folder behind a link is replaced where it is', () => {
  mkdirSync(join(cwd, 'real'))
  symlinkSync('real', target)
  const folder = InstallFolder.take('python_modules', cwd, false)
  expect(folder.target).toBe(join(cwd, 'real'))
  writeFileSync(join(folder.stage, 'x.py'), '')
  folder.commit('')
  folder.release()
  expect(readdirSync(join(cwd, 'real'))).toEqual(['x.py'])
})

test('two at once are refused, and what a killed one left is cleared up', () => {
  const first = InstallFolder.take('python_modules', cwd, false)
  expect(() => InstallFolder.take('python_modules', cwd, false)).toThrow(
    `another installation is in progress in ${target} (process ${process.pid}). If it is ` +
      `not, remove ${work()} [MONO7106]`,
  )
  writeFileSync(join(work(), 'process'), ended())
  writeFileSync(join(first.stage, 'half.py'), '')
  // And one that was killed while it cleared up.
  mkdirSync(`${work()}.0123456789ab/packages`, { recursive: true })
  writeFileSync(`${work()}.notes`, '')
  const second = InstallFolder.take('python_modules', cwd, false)
  expect(readdirSync(second.stage)).toEqual([])
  second.release()
  expect(readdirSync(cwd)).toEqual(['.python_modules.installing.notes'])
  first.release()
})

const own = processIdentity()

test.each([
  // In a container the same program has the same number each time.
  ['of this process’s number that started at another time', { ...own, start: 'zzz' }, 0, false],
  ['of another container that gives no sign of life', { ...own, namespace: 'zzz' }, 61_000, false],
  ['of another machine whose clock is ahead', { ...own, boot: 'zzz' }, -61_000, false],
  ['of another container that does', { ...own, namespace: 'zzz' }, 6_000, true],
  ['of this process', own, 61_000, true],
])('an installation %s', (_, owner, age, blocks) => {
  mkdirSync(work())
  const name = join(work(), 'process')
  writeFileSync(name, `${identityText(owner)}\n`)
  const then = new Date(Date.now() - age)
  utimesSync(name, then, then)
  const take = () => InstallFolder.take('python_modules', cwd, false).release()
  if (blocks)
    expect(take).toThrow(
      `another installation is in progress in ${target} (process ${process.pid})`,
    )
  else expect(take).not.toThrow()
  expect(existsSync(work())).toBe(blocks)
})

test('one that was killed between the two renames is undone', () => {
  mkdirSync(join(work(), 'old', 'a'), { recursive: true })
  mkdirSync(join(work(), 'packages'))
  writeFileSync(join(work(), 'process'), ended())
  const folder = InstallFolder.take('python_modules', cwd, false)
  expect(readdirSync(folder.stage)).toEqual(['a'])
  folder.release()
  expect(readdirSync(target)).toEqual(['a'])
})

test('what cannot be installed into is said', () => {
  writeFileSync(target, '')
  expect(() => InstallFolder.take('python_modules', cwd, false)).toThrow(InstallError)
  expect(() => InstallFolder.take('python_modules', cwd, false)).toThrow(
    `cannot install into ${target}: it is not a folder`,
  )
  expect(existsSync(work())).toBe(false)
})
