import { defineConfig } from 'vitest/config'
import { LongestFirst } from './tests/support/longest-first.ts'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // End-to-end tests start real servers; more of them at once than cores makes them wait for each
    // other.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
  },
})
