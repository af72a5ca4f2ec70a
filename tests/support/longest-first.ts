import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { repository } from './build.ts'

/** The measured duration of each test file in seconds; `npm run test:durations` writes it. */
export const durationsFile = join(repository, 'tests', 'support', 'durations.json')

/** Reads the stored durations. */
export function readDurations(): Record<string, number> {
  return existsSync(durationsFile) ? JSON.parse(readFileSync(durationsFile, 'utf8')) : {}
}

/**
 * Starts the longest test files first, by their stored durations, so that no processor waits for a
 * long file at the end. A file without a stored duration starts before all others.
 *
 * Files that share a worker process (`isolate: false`) come last and in one row: vitest keeps such
 * a process only if the next file may share it.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const durations = readDurations()
    const place = new Map(
      files.map((file) => [
        file,
        {
          shared: file.project.config.isolate ? 0 : 1,
          seconds: durations[relative(repository, file.moduleId)] ?? Number.POSITIVE_INFINITY,
        },
      ]),
    )
    return [...files].sort((one, other) => {
      const [a, b] = [place.get(one)!, place.get(other)!]
      if (a.shared !== b.shared) return a.shared - b.shared
      if (a.seconds !== b.seconds) return b.seconds - a.seconds
      return one.moduleId < other.moduleId ? -1 : 1
    })
  }
}
