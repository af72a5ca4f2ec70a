import { exposition, formatFor } from '../../metrics/exposition.ts'
import type { Snapshot } from '../../metrics/snapshot.ts'
import type { OperationsRoute } from './operations-server.ts'
import { SharedWork } from './shared-work.ts'

/**
 * `/metrics`. However many ask at the same time, the acceptors are asked once; who comes while they
 * are being asked waits for the next time, so that nobody gets values from before its request.
 */
export function metricsRoute(collect: () => Promise<Snapshot>): OperationsRoute {
  const collected = new SharedWork(collect)
  return {
    path: '/metrics',
    method: 'GET',
    ownHost: false,
    async answer({ headers }) {
      const snapshot = await collected.next()
      const { text, contentType } = await exposition(snapshot, formatFor(headers.accept))
      return { status: 200, type: contentType, body: text, fields: { Vary: 'Accept' } }
    },
  }
}
