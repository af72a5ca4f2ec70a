import { defineConfig } from 'vitest/config'

/**
 * `npm run test:soak`: the endurance of the real command, one case after another, with its figures.
 * See docs/endurance.md.
 */
export default defineConfig({
  test: {
    include: ['tests/soak/**/*.soak.ts'],
    globalSetup: ['tests/support/server-setup.ts'],
    testTimeout: 420_000,
    hookTimeout: 120_000,
    // They measure: nothing else may run beside them.
    fileParallelism: false,
    // The figures are printed as they come, and without a heading each.
    disableConsoleIntercept: true,
    reporters: ['verbose'],
  },
})
