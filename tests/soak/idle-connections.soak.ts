import { test } from 'vitest'
import { idleConnections } from './idle-connections.ts'

test('ten thousand idle connections disturb nobody and stay usable', async () => {
  await idleConnections(10_000, 2_000, true)
})
