import type { RequestEvents } from '../../observe/request-events.ts'
import type { EdgeHandler } from '../chain.ts'
import { RefusedRequest } from '../refused-request.ts'
import { type ProxyTrust, SchemeConflictError } from './proxy-trust.ts'

/**
 * Finds out whether the client used HTTPS, on this connection or to a trusted proxy, and notes it
 * in the head. A request whose proxy headers contradict each other is refused with 400.
 */
export function trustProxies(trust: ProxyTrust, events: RequestEvents): EdgeHandler {
  return (next) => (head, reply) => {
    try {
      head.secure = trust.isSecure(head, reply.peer)
    } catch (error) {
      if (!(error instanceof SchemeConflictError)) throw error
      const refusal = { status: 400, reason: error.message, fields: [] }
      return new RefusedRequest(head, reply, refusal, events)
    }
    return next(head, reply)
  }
}
