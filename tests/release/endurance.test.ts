import { describe, test } from 'vitest'
import { idleConnections } from '../soak/idle-connections.ts'
import { killedWorkers } from '../soak/killed-workers.ts'
import { sleepingRequests } from '../soak/sleeping-request.ts'
import { vanishingClients } from '../soak/vanishing-clients.ts'
import { hasPython } from '../support/python.ts'

// The cases of `npm run test:soak` (docs/endurance.md) in small.

describe.skipIf(!hasPython())('endurance', () => {
  test('a request that sleeps holds up no other', async () => {
    await sleepingRequests([8, 6])
  })

  test('idle connections disturb nobody and stay usable', async () => {
    await idleConnections(500, 300)
  })

  test('kill -9 of workers under load costs what is in flight on them, and nothing else', async () => {
    await killedWorkers(2_000, 200)
  })

  test('clients that vanish in the middle of large bodies leave nothing behind', async () => {
    await vanishingClients(4)
  })

  test('clients that vanish in the middle of streamed requests leave nothing behind', async () => {
    await vanishingClients(4, ['--no-request-buffering'])
  })
})
