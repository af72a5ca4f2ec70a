import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { repository } from './build.ts'

/** The Go program, which checks workflows. */
const PROGRAM = 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12'
/** How long a build may take, in milliseconds: mostly, it waits for downloads. */
const BUILD_MS = 300_000
const cache = join(repository, 'tests', '.cache', 'go', 'bin')

/**
 * Finds actionlint on `PATH`, or builds it with Go into `tests/.cache`. Without Go it says so and
 * gives null; if CI is set, it throws.
 */
export function findActionlint(): string | null {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), cache]) {
    const path = join(folder, 'actionlint')
    if (folder !== '' && existsSync(path)) return path
  }
  const built = join(cache, 'actionlint')
  try {
    mkdirSync(cache, { recursive: true })
    execFileSync('go', ['install', PROGRAM], {
      // A Go that is older than actionlint asks for fetches a newer one.
      env: { ...process.env, GOBIN: cache, GOTOOLCHAIN: 'auto' },
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: BUILD_MS,
    })
    return built
  } catch (error) {
    const missing = `There is no actionlint, and Go cannot build it: ${(error as Error).message}`
    if (process.env.CI) throw new Error(missing)
    console.warn(`\n*** ${missing}\n*** The check of the workflows is SKIPPED.\n`)
    return null
  }
}
