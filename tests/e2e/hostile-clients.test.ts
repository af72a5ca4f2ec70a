import { describe, test } from 'vitest'
import { hostileClients, hostileKinds } from '../soak/hostile-clients.ts'
import { hasPython } from '../support/python.ts'

// `npm run test:soak` has three hundred of each.

describe.skipIf(!hasPython())('clients that make the server hold something', () => {
  test.each(hostileKinds)(
    'twenty with $name are bounded in sum, and disturb nobody',
    async (kind) => {
      await hostileClients(kind, 20)
    },
  )
})
