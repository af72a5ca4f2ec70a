import { defineConfig } from 'vitest/config'
import { LongestFirst } from './tests/support/longest-first.ts'

/** Tests of other tiers once more, with every server on HTTPS. */
const tls = {
  extends: true as const,
  test: {
    ...tier(
      'tls',
      [
        'tests/e2e/clients-that-leave.test.ts',
        'tests/e2e/connections.test.ts',
        'tests/e2e/hostile-clients.test.ts',
        'tests/e2e/large-bodies.test.ts',
        'tests/e2e/limits.test.ts',
        'tests/e2e/pep3333-typescript.test.ts',
        'tests/e2e/pep3333.test.ts',
        'tests/e2e/responses.test.ts',
        'tests/e2e/slow-clients.test.ts',
        'tests/e2e/what-happens-when.test.ts',
        'tests/release/frameworks.test.ts',
      ],
      'server-setup.ts',
    ).test,
    // The clients of these tests take any certificate.
    env: { MONOCEROS_TEST_TLS: '1', NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  },
}

const release = tier('release', ['tests/release/**/*.test.ts'], 'server-setup.ts')

/**
 * The tiers of the suite, a project each; tests/README.md says what belongs where.
 *
 * `npm test` runs `unit` and `e2e`; `npm run test:rest` runs `embedded` and `release`.
 */
export default defineConfig({
  test: {
    // Ends what hangs, and nothing that is slow: a machine of continuous integration that is busy
    // takes three times as long as usual. What a test asserts of time, it asserts itself.
    testTimeout: 180_000,
    hookTimeout: 300_000,
    // Its default is a second.
    expect: { poll: { timeout: 25_000 } },
    // End-to-end tests start real servers and often wait for them, so that a few more files than
    // cores keep the cores busy. Many more would wait for each other until they time out.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    setupFiles: ['tests/support/own-process-group.ts'],
    projects: [
      // To start a process for each of more than a hundred small files takes a quarter of the time.
      tier(
        'unit',
        [
          'src/**/*.test.ts',
          'tests/support/**/*.test.ts',
          'scripts/**/*.test.mjs',
          'site/**/*.test.ts',
          'packages/learn/*.test.ts',
        ],
        'unit-setup.ts',
        false,
      ),
      tier('e2e', ['tests/e2e/**/*.test.ts', 'tests/repository/**/*.test.ts'], 'server-setup.ts'),
      tls,
      tier('embedded', ['tests/embedded/**/*.test.ts'], 'server-setup.ts'),
      {
        ...release,
        test: {
          ...release.test,
          // The comparison with llhttp with more connections, large bodies in every combination, the
          // mounted applications in a program as well as by the command, PEP 3333's rules for
          // asynchronous applications, proxies in front of TypeScript, and time-outs of handshakes.
          include: [
            ...release.test.include,
            'tests/e2e/http-differential.test.ts',
            'tests/e2e/large-bodies.test.ts',
            'tests/e2e/one-process.test.ts',
            'tests/e2e/pep3333-typescript.test.ts',
            'tests/e2e/tls-connections.test.ts',
            'tests/e2e/trust.test.ts',
          ],
          env: {
            MONOCEROS_TEST_TIER: 'release',
            MONOCEROS_FUZZ_RUNS: process.env.MONOCEROS_FUZZ_RUNS ?? '5000',
          },
        },
      },
    ],
  },
})

/**
 * @param setup the file in tests/support that prepares what these tests need
 * @param isolate whether each file has a process of its own
 */
function tier(name: string, include: string[], setup: string, isolate = true) {
  return {
    extends: true as const,
    test: { name, include, isolate, globalSetup: [`tests/support/${setup}`] },
  }
}
