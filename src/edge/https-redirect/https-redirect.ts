import type { Reply, RequestSink } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { RequestEvents } from '../../observe/request-events.ts'
import { splitAuthority } from '../../semantics/authority.ts'
import type { EdgeHandler } from '../chain.ts'
import { RefusedRequest } from '../refused-request.ts'

export interface HttpsRedirectOptions {
  /** Requests at these ports of this machine are redirected, unless they came by HTTPS. */
  readonly from: ReadonlySet<number>
  /** The port of HTTPS. */
  readonly to: number
}

const NO_HOST = {
  status: 400,
  reason: 'the request names no host that it could be redirected to',
  fields: [],
}

/**
 * Answers requests of plain HTTP with 308 (RFC 9110 §15.4.9), to HTTPS of the same host, path and
 * query: with it, a client repeats the method and the body.
 */
export function httpsRedirect(
  { from, to }: HttpsRedirectOptions,
  events: RequestEvents,
): EdgeHandler {
  return (next) => (head, reply) => {
    // A trusted proxy may say that its client has used HTTPS: a redirect would never end.
    if (head.secure || !from.has(reply.peer.localPort)) return next(head, reply)
    const location = httpsLocation(head, to)
    return location === null
      ? new RefusedRequest(head, reply, NO_HOST, events)
      : new RedirectedRequest(reply, location, head.hasBody)
  }
}

/** @returns null if the request names no host */
function httpsLocation(head: RequestHead, port: number): string | null {
  const { bytes, pathStart, pathEnd, queryStart, queryEnd } = head
  const authority = head.hasAuthority
    ? bytes.toString('latin1', head.authorityStart, head.authorityEnd)
    : (head.get('host') ?? '')
  const host = splitAuthority(authority)?.host
  if (host === undefined || host === '') return null
  const path = bytes.toString('latin1', pathStart, pathEnd)
  const query = head.hasQuery ? `?${bytes.toString('latin1', queryStart, queryEnd)}` : ''
  // `OPTIONS *` has no path.
  const target = `${path.startsWith('/') ? path : '/'}${query}`
  return `https://${host}${port === 443 ? '' : `:${port}`}${encoded(target)}`
}

/** A Location has ASCII only (RFC 3986 §2). The head has no white space or control characters. */
function encoded(target: string): string {
  return target.replace(
    /[\x80-\xff]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

class RedirectedRequest implements RequestSink {
  readonly #reply: Reply
  readonly #location: string
  readonly #close: boolean

  /** @param close the request has a body, which need not be read then */
  constructor(reply: Reply, location: string, close: boolean) {
    this.#reply = reply
    this.#location = location
    this.#close = close
  }

  begin(): void {
    this.#reply.refuse(308, { close: this.#close, fields: [['Location', this.#location]] })
  }

  bodyData(): void {}

  bodyEnd(): void {}

  clientEnded(): void {}

  written(): void {}

  closed(): void {}
}
