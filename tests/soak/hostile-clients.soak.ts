import { test } from 'vitest'
import { hostileClients, hostileKinds } from './hostile-clients.ts'

test.each(hostileKinds)(
  '300 clients with $name are bounded in sum, and disturb nobody',
  async (kind) => {
    await hostileClients(kind, 300)
  },
)
