import { execFile, execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'
import { withDirectoryLock } from './directory-lock.ts'

/** Where the binaries are kept, one folder each; not in the repository. */
const cache = join(repository, 'tests', '.node')

/**
 * The path of the newest Node of that major version, installed through npm when it is not in the
 * cache.
 *
 * npm has Node's binaries as packages, one for each platform; `node` itself is only a script that
 * chooses among them.
 */
export async function ensureNode(major: number): Promise<string> {
  const directory = join(cache, String(major))
  const binary = join(directory, 'node')
  mkdirSync(cache, { recursive: true })
  return await withDirectoryLock(`${directory}.lock`, async () => {
    if (existsSync(binary)) return binary
    const work = mkdtempSync(`${directory}.new-`)
    try {
      const name = `node-${process.platform}-${process.arch}`
      await promisify(execFile)(
        'npm',
        [
          'install',
          '--prefix',
          work,
          '--no-save',
          '--no-audit',
          '--no-fund',
          '--ignore-scripts',
          `${name}@${major}`,
        ],
        // In a folder of its own, so that no package.json above it plays a part.
        { cwd: work, timeout: 240_000 },
      )
      const kept = join(work, 'kept')
      mkdirSync(kept)
      renameSync(join(work, 'node_modules', name, 'bin', 'node'), join(kept, 'node'))
      cpSync(join(work, 'node_modules', name, 'LICENSE'), join(kept, 'LICENSE'))
      const version = execFileSync(join(kept, 'node'), ['--version'], { encoding: 'utf8' })
      if (!version.startsWith(`v${major}.`))
        throw new Error(`${name}@${major} is ${version.trim()}`)
      rmSync(directory, { recursive: true, force: true })
      renameSync(kept, directory)
      return binary
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  })
}
