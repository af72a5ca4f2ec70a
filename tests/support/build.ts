import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'

/** The root of the repository. */
export const repository = join(import.meta.dirname, '..', '..')

/** The command that the end-to-end tests run. */
export const commandPath = join(repository, 'dist', 'cli', 'main.js')

/** The page of the dashboard is no part of the program: scripts/build-dashboard.mjs bundles it. */
const PAGE_SOURCES = join('dashboard', 'page') + sep
const PAGE = join('dashboard', 'page.js.gz')

/**
 * True when a source has no compiled file, or one that is older than it. Each is compared with its
 * own output: a build that somebody else has under way must not pass for a finished one.
 */
export function buildIsStale(
  sourceRoot = join(repository, 'src'),
  outputRoot = join(repository, 'dist'),
): boolean {
  for (const name of readdirSync(sourceRoot, { recursive: true, encoding: 'utf8' })) {
    // Tests are not compiled, and declarations are compiled to nothing.
    if (!name.endsWith('.ts') || /\.(test|d)\.ts$/.test(name)) continue
    const isPage = name.startsWith(PAGE_SOURCES)
    const output = join(outputRoot, isPage ? PAGE : name.replace(/\.ts$/, '.js'))
    if (!existsSync(output)) return true
    if (statSync(output).mtimeMs < statSync(join(sourceRoot, name)).mtimeMs) return true
  }
  return false
}

/**
 * Runs the package's own build. Throws with the compiler's messages when it fails.
 *
 * @throws Error also if the build would be stale again: it would be made for each project of a run
 */
export function build(): void {
  try {
    execFileSync('npm', ['run', '--silent', 'build'], {
      cwd: repository,
      stdio: 'pipe',
      encoding: 'utf8',
    })
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`npm run build failed:\n${stdout}${stderr}`)
  }
  if (buildIsStale()) throw new Error('npm run build made no output of some source in src/')
}
