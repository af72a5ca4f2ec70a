import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'
import { withDirectoryLock } from './directory-lock.ts'

const cache = join(repository, 'tests', '.cache', 'site')

/** What the site is made from. */
const SOURCES = [
  ...['docs', 'examples', 'site', 'python/monoceros', 'bench/results', 'src', 'scripts/site.mjs'],
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'tests/README.md'],
  ...['package.json', 'package-lock.json'],
]
const NOT_SOURCES = /(^|\/)(dist|\.cache|\.temp|node_modules|__pycache__|site-packages\.json)(\/|$)/

let building: Promise<string> | undefined

/** Builds the site with its playground, unless a test has done so. @returns its folder */
export function builtSite(): Promise<string> {
  building ??= buildOnce()
  return building
}

async function buildOnce(): Promise<string> {
  mkdirSync(cache, { recursive: true })
  return await withDirectoryLock(`${cache}.lock`, async () => {
    const name = hashOfSources()
    const folder = join(cache, name)
    for (const other of readdirSync(cache))
      if (other !== name) rmSync(join(cache, other), { recursive: true, force: true })
    if (!existsSync(folder)) {
      const work = mkdtempSync(join(cache, 'new-'))
      const script = join(repository, 'scripts', 'site.mjs')
      const args = [script, '--build', '--to', join(work, 'site')]
      await promisify(execFile)(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 })
      renameSync(work, folder)
    }
    return join(folder, 'site')
  })
}

function hashOfSources(): string {
  const hash = createHash('sha256')
  for (const source of SOURCES) {
    const path = join(repository, source)
    const names = statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true, encoding: 'utf8' }).sort()
      : ['']
    for (const name of names) {
      if (NOT_SOURCES.test(name)) continue
      const entry = statSync(join(path, name))
      // Building changes the times of folders.
      if (entry.isDirectory()) continue
      hash.update(`${source}/${name} ${entry.size} ${entry.mtimeMs}\n`)
    }
  }
  return hash.digest('hex').slice(0, 16)
}
