import type { IncomingMessage } from 'node:http'
import type { TokenCheck } from '../control/token-routes.ts'

/** Who may see what has words of clients and of the application. */
export interface Access {
  readonly mode: 'local' | 'token'
  /** Whether a request has the control token; false without one. */
  readonly hasToken: TokenCheck
}

/** Whether a request may see everything. */
export function maySeeAll(request: IncomingMessage, { mode, hasToken }: Access): boolean {
  if (!isOfOwnPage(request)) return false
  if (mode === 'local' && isLocal(request.socket.localAddress)) return true
  return hasToken(request.headers.authorization)
}

/**
 * Whether a connection was made to this machine by itself.
 *
 * @param localAddress where it arrived; undefined for a unix socket
 */
export function isLocal(localAddress: string | undefined): boolean {
  if (localAddress === undefined) return true
  return localAddress === '::1' || /^(::ffff:)?127\./.test(localAddress)
}

/**
 * A browser says when a page of another site asks (Fetch Metadata). It could not read the answer,
 * but it does not get one either.
 */
function isOfOwnPage({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site']
  return site === undefined || site === 'same-origin' || site === 'none'
}
