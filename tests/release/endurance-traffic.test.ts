import { describe, test } from 'vitest'
import { mixedTraffic } from '../soak/mixed-traffic.ts'
import { hasPython } from '../support/python.ts'

// The small version of tests/soak/mixed-traffic.soak.ts.

const mebibyte = 1024 * 1024

describe.skipIf(!hasPython())('endurance', () => {
  test('mixed traffic, with workers recycled, killed and reloaded, leaves nothing behind', async () => {
    await mixedTraffic({
      clients: 16,
      workers: 2,
      stretch: 1_800,
      stretches: 2,
      killEvery: 700,
      reloadEvery: 1_100,
      sampleEvery: 900,
      args: ['--max-requests', '300', '--max-requests-jitter', '100'],
      // Nobody lives for long enough to grow.
      workerAge: 0,
      // After two seconds nothing is warm yet.
      acceptorGrowth: 64 * mebibyte,
      workerGrowth: 8 * mebibyte,
    })
  })
})
