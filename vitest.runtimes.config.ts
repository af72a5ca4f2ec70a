import { defineConfig } from 'vitest/config'

/**
 * Tests that Vitest runs on Bun and Deno: what works there, and needs no server of Monoceros.
 * `tests/release/bun-and-deno.test.ts` starts them.
 */
export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Bun and Deno lack parts of worker threads that Vitest needs.
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: ['tests/support/runtimes-setup.ts'],
    include: [
      'src/adapters/**/*.test.ts',
      'src/middleware/**/*.test.ts',
      'src/testing/**/*.test.ts',
      'tests/e2e/adapters-guests.test.ts',
      'tests/e2e/adapters-hosts.test.ts',
      'tests/e2e/python-app.test.ts',
      'tests/e2e/test-client.test.ts',
    ],
  },
})
