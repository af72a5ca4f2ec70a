import { test } from 'vitest'
import { mixedTraffic } from './mixed-traffic.ts'

const mebibyte = 1024 * 1024

test('an hour of mixed traffic, with workers recycled, killed and reloaded, leaves nothing behind', async () => {
  await mixedTraffic({
    clients: 32,
    workers: 3,
    stretch: 58_000,
    stretches: 4,
    killEvery: 7_000,
    reloadEvery: 20_000,
    sampleEvery: 15_000,
    workerAge: 5_000,
    args: ['--max-requests', '2000', '--max-requests-jitter', '1000'],
    // V8 gives memory back when it likes to; a leak of 300 bytes a request would be more than this.
    acceptorGrowth: 32 * mebibyte,
    workerGrowth: 4 * mebibyte,
  })
})

test('workers that are never replaced do not grow', async () => {
  await mixedTraffic({
    clients: 32,
    workers: 2,
    stretch: 15_000,
    stretches: 4,
    killEvery: 0,
    reloadEvery: 0,
    sampleEvery: 15_000,
    workerAge: 5_000,
    args: [],
    acceptorGrowth: 32 * mebibyte,
    // Uploads of up to 500 KB are held in memory, several at a time; how many at most takes a while
    // to come about.
    workerGrowth: 8 * mebibyte,
  })
})
