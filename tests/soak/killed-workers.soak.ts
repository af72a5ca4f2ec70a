import { test } from 'vitest'
import { killedWorkers } from './killed-workers.ts'

test('kill -9 of workers under load costs what is in flight on them, and nothing else', async () => {
  await killedWorkers(10_000, 300)
})
