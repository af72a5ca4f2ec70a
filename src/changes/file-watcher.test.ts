import { renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { EditedProject } from '../../tests/support/edited-project.ts'
import { waitFor } from '../../tests/support/wait-for.ts'
import { filePattern } from './file-pattern.ts'
import { type FileChange, FileWatcher } from './file-watcher.ts'

async function watched(
  files: Record<string, string>,
  { engine = 'auto', extra = [] }: { engine?: 'auto' | 'poll'; extra?: string[] } = {},
) {
  const project = new EditedProject(files)
  onTestFinished(project.remove)
  const root = join(project.path, 'site')
  const seen: string[] = []
  const warnings: string[] = []
  const watcher = new FileWatcher({
    roots: [root],
    isPython: true,
    extra: extra.map((pattern) => filePattern(pattern, root)),
    engine,
    log: {
      warning: (text) => void warnings.push(text),
    },
    changed: (path: string, change: FileChange) =>
      void seen.push(`${path.slice(project.path.length + 1)} ${change}`),
  })
  await watcher.start()
  onTestFinished(() => watcher.close())
  /** Waits for a change of a file that is watched, after which earlier ones have been seen too. */
  const until = (text: string) => waitFor(text, () => seen.includes(text))
  return { project, watcher, seen, warnings, until }
}

test.each(['auto', 'poll'] as const)(
  'changes, new files and removed ones are noticed (%s)',
  async (engine) => {
    const { project, until, seen } = await watched(
      { 'site/a.py': '1', 'site/b.py': '1' },
      { engine },
    )
    // The first look of polling may come after the first write, so there are more.
    await waitFor('a change', () => {
      project.write('site/a.py', String(performance.now()))
      return seen.includes('site/a.py changed')
    })
    project.write('site/shop/templates/c.html', '1')
    await until('site/shop/templates/c.html added')
    project.delete('site/b.py')
    await until('site/b.py removed')
  },
)

test('a folder that is deleted and comes back is watched again', async () => {
  const { project, until, seen } = await watched({ 'site/shop/a.py': '1' })
  renameSync(join(project.path, 'site/shop'), join(project.path, 'away'))
  await until('site/shop/a.py removed')
  renameSync(join(project.path, 'away'), join(project.path, 'site/shop'))
  await until('site/shop/a.py added')
  project.write('site/shop/a.py', '2')
  await until('site/shop/a.py changed')
  expect(seen.filter((text) => !text.includes('a.py'))).toEqual([])
})

test('an editor that replaces a file by another one changes it', async () => {
  const { project, until } = await watched({ 'site/a.py': '1' })
  for (const content of ['2', '3']) {
    project.write('site/.a.py.tmp', content)
    project.rename('site/.a.py.tmp', 'site/a.py')
    await until('site/a.py changed')
  }
})

test('packages, hidden folders, environments and other kinds of files are left out', async () => {
  const { project, until, seen } = await watched({
    'site/a.py': '1',
    'site/node_modules/lib/a.py': '1',
    'site/.git/a.py': '1',
    'site/env/pyvenv.cfg': '',
    'site/env/lib/a.py': '1',
    'site/data.sqlite3': '1',
  })
  for (const name of ['node_modules/lib/a.py', '.git/a.py', 'env/lib/a.py', 'data.sqlite3'])
    project.write(`site/${name}`, '2')
  project.write('site/a.py', '2')
  await until('site/a.py changed')
  expect(seen).toEqual(['site/a.py changed'])
})

test('a file that was loaded is watched wherever it is, also under its real name', async () => {
  const { project, watcher, seen } = await watched({
    'site/a.py': '1',
    'site/env/pyvenv.cfg': '',
    'site/env/lib/python3.12/site-packages/lib.py': '1',
    'elsewhere/b.py': '1',
  })
  const link = join(project.path, 'linked')
  symlinkSync(join(project.path, 'elsewhere'), link)
  const inPackage = join(project.path, 'site/env/lib/python3.12/site-packages/lib.py')
  watcher.add([inPackage, join(link, 'b.py')])
  expect(watcher.hasLoaded(join(project.path, 'elsewhere/b.py'))).toBe(true)
  // It is watched a moment after it was added.
  await waitFor('changes of both', () => {
    project.write('site/env/lib/python3.12/site-packages/lib.py', String(performance.now()))
    project.write('elsewhere/b.py', String(performance.now()))
    return (
      seen.includes('site/env/lib/python3.12/site-packages/lib.py changed') &&
      seen.includes('linked/b.py changed')
    )
  })
})

test('what a pattern names is watched, also outside of the folders', async () => {
  const { project, until, seen } = await watched(
    { 'site/a.py': '1', 'etc/a.toml': '1', 'etc/b.json': '1', 'site/.env': '1' },
    { extra: ['../etc/**/*.toml', '.env'] },
  )
  project.write('etc/b.json', '2')
  project.write('etc/deep/c.toml', '1')
  await until('etc/deep/c.toml added')
  project.write('site/.env', '2')
  await until('site/.env changed')
  expect(seen.some((text) => text.includes('b.json'))).toBe(false)
})
