import { chmodSync, existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from './applications.ts'
import { buildIsStale } from './build.ts'
import { withDirectoryLock } from './directory-lock.ts'
import { ensureVirtualEnvironment, findBasePython } from './virtual-environment.ts'

/** A directory with a shell script that stands for python3. */
function fakePython(script: string): { path: string; directory: string } {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  const path = join(directory.path, 'python3')
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return { path, directory: directory.path }
}

test('a Python that is not there is an error that says what was tried', () => {
  expect(() => findBasePython({ MONOCEROS_TEST_PYTHON: '/nowhere/python3' })).toThrow(
    /needs Python >= 3\.9.*\/nowhere\/python3 \(from MONOCEROS_TEST_PYTHON\)/,
  )
})

test('a Python that is too old is an error that names its version', () => {
  const { path } = fakePython('echo /usr/bin/old; echo 3.8.18')
  expect(() => findBasePython({ MONOCEROS_TEST_PYTHON: path })).toThrow(/3\.8\.18/)
})

test('a Python that is new enough is taken', () => {
  const { path } = fakePython('echo /usr/bin/new; echo 3.9.0')
  expect(findBasePython({ MONOCEROS_TEST_PYTHON: path })).toEqual({
    executable: '/usr/bin/new',
    version: '3.9.0',
  })
})

test('the environment is made once, and again when the requirements or the Python change', () => {
  const { path, directory } = fakePython(
    '[ "$2" = venv ] && mkdir -p "$3/bin" && cp "$0" "$3/bin/python3"; exit 0',
  )
  const environment = join(directory, 'venv')
  const requirements = join(directory, 'requirements.txt')
  writeFileSync(requirements, 'a==1')
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  const make = (version: string) =>
    ensureVirtualEnvironment({ executable: path, version }, environment, requirements)
  make('3.11.0')
  make('3.11.0')
  expect(log).toHaveBeenCalledTimes(1)
  writeFileSync(requirements, 'a==2')
  make('3.11.0')
  expect(log).toHaveBeenCalledTimes(2)
  expect(make('3.11.1').version).toBe('3.11.1')
  expect(log).toHaveBeenCalledTimes(3)
})

test('an environment whose making failed is not taken for a finished one', () => {
  const { path, directory } = fakePython(
    'case "$2" in venv) mkdir -p "$3/bin"; cp "$0" "$3/bin/python3";; pip) echo "no such ' +
      'package" >&2; exit 1;; esac',
  )
  const requirements = join(directory, 'requirements.txt')
  writeFileSync(requirements, 'a==1')
  vi.spyOn(console, 'log').mockImplementation(() => {})
  const make = () =>
    ensureVirtualEnvironment(
      { executable: path, version: '3.11.0' },
      join(directory, 'venv'),
      requirements,
    )
  expect(make).toThrow(/no such package/)
  expect(make).toThrow(/no such package/)
})

test('a build is stale when a source is newer than its output, or has none', () => {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  const [src, dist] = [join(directory.path, 'src'), join(directory.path, 'dist')]
  mkdirSync(join(src, 'http'), { recursive: true })
  mkdirSync(join(dist, 'http'), { recursive: true })
  writeFileSync(join(src, 'http', 'a.ts'), '')
  writeFileSync(join(src, 'http', 'a.test.ts'), '')
  writeFileSync(join(src, 'http', 'declared.d.ts'), '')
  expect(buildIsStale(src, dist)).toBe(true)
  writeFileSync(join(dist, 'http', 'a.js'), '')
  expect(buildIsStale(src, dist)).toBe(false)
  utimesSync(join(src, 'http', 'a.ts'), new Date(), new Date(Date.now() + 10_000))
  expect(buildIsStale(src, dist)).toBe(true)
  utimesSync(join(src, 'http', 'a.ts'), new Date(), new Date())
  utimesSync(join(dist, 'http', 'a.js'), new Date(), new Date())

  // The page of the dashboard has one output.
  mkdirSync(join(src, 'dashboard', 'page'), { recursive: true })
  mkdirSync(join(dist, 'dashboard'))
  for (const name of ['main.ts', 'chart.ts']) writeFileSync(join(src, 'dashboard/page', name), '')
  expect(buildIsStale(src, dist)).toBe(true)
  writeFileSync(join(dist, 'dashboard', 'page.js.gz'), '')
  expect(buildIsStale(src, dist)).toBe(false)
  utimesSync(join(src, 'dashboard/page/chart.ts'), new Date(), new Date(Date.now() + 10_000))
  expect(buildIsStale(src, dist)).toBe(true)
})

test('two holders of a lock do not overlap, and a dead holder does not block', async () => {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  const lock = join(directory.path, 'lock')
  let inside = 0
  const work = () =>
    withDirectoryLock(lock, async () => {
      expect(++inside).toBe(1)
      await sleep(20)
      inside--
    })
  await Promise.all([work(), work()])
  expect(existsSync(lock)).toBe(false)

  mkdirSync(lock)
  // Above the largest pid there can be.
  writeFileSync(join(lock, 'pid'), '4194305')
  await withDirectoryLock(lock, () =>
    expect(readFileSync(join(lock, 'pid'), 'utf8')).toBe(String(process.pid)),
  )
})
