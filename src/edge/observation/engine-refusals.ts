import type { HttpServerOptions } from '../../http/http-server.ts'
import type { RequestEvents } from '../../observe/request-events.ts'

/**
 * For {@link HttpServerOptions.refused}: publishes what the engine refuses by itself, such as a
 * malformed or too slow request.
 */
export function publishEngineRefusals(events: RequestEvents): HttpServerOptions['refused'] {
  return ({ peer, requestLine, status, reason, code, gaveUp, begun, startedAt }) => {
    if (!events.requestRefused.hasListeners) return
    events.requestRefused.publish({
      remoteAddress: peer.remoteAddress,
      requestLine,
      status,
      reason,
      code,
      clientGaveUp: gaveUp,
      begun,
      startedAt: begun ? null : startedAt,
    })
  }
}
