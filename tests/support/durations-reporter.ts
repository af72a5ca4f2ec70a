import { existsSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Reporter, TestModule } from 'vitest/node'
import { repository } from './build.ts'
import { durationsFile, readDurations } from './longest-first.ts'

/**
 * Stores how long each test file of this run took, for {@link LongestFirst}. Files that did not run
 * keep their durations, and files that no longer exist lose theirs.
 */
// biome-ignore lint/style/noDefaultExport: vitest takes a reporter's default export
export default class DurationsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const durations = readDurations()
    for (const module of modules) {
      if (module.state() !== 'passed') continue
      const { collectDuration, duration } = module.diagnostic()
      const seconds = Math.round((collectDuration + duration) / 100) / 10
      durations[relative(repository, module.moduleId)] = seconds
    }
    const lines = Object.keys(durations)
      .filter((path) => existsSync(join(repository, path)))
      .sort()
      .map((path) => `  ${JSON.stringify(path)}: ${durations[path]}`)
    writeFileSync(durationsFile, `{\n${lines.join(',\n')}\n}\n`)
  }
}
