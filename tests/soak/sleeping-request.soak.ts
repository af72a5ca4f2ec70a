import { test } from 'vitest'
import { sleepingRequests } from './sleeping-request.ts'

test('a request that sleeps for seconds holds up no other', async () => {
  await sleepingRequests([5, 0.5, 0.5, 0.5, 0.5], true)
})
