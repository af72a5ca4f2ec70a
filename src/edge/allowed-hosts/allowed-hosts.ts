import { quoteText } from '../../bytes/quoted.ts'
import type { RequestHead } from '../../http/request-head.ts'
import type { RequestEvents } from '../../observe/request-events.ts'
import type { EdgeHandler } from '../chain.ts'
import { type RefusalAnswer, RefusedRequest } from '../refused-request.ts'
import { HostList } from './host-list.ts'

const NO_HOST: RefusalAnswer = {
  status: 400,
  reason: 'it names no host, and allowed_hosts is set',
  fields: [],
}

/**
 * Refuses a request for a host that is not one of ours with 421 (RFC 9110 §15.5.20), and one that
 * names none with 400, before the application could use that name in a link or a cache in a key.
 * The host is the client's, if trusted proxies tell of it.
 *
 * @param hosts see {@link HostList}
 */
export function allowedHosts(hosts: readonly string[], events: RequestEvents): EdgeHandler {
  const list = new HostList(hosts)
  return (next) => (head, reply) => {
    const authority = authorityOf(head)
    if (list.include(authority)) return next(head, reply)
    const refusal = authority === '' ? NO_HOST : misdirected(authority)
    return new RefusedRequest(head, reply, refusal, events)
  }
}

function misdirected(authority: string): RefusalAnswer {
  const reason = `the host ${quoteText(authority)} is not in allowed_hosts`
  return { status: 421, reason, fields: [] }
}

function authorityOf(head: RequestHead): string {
  if (head.hasAuthority) {
    return head.bytes.toString('latin1', head.authorityStart, head.authorityEnd)
  }
  return head.host === -1 ? '' : head.value(head.host)
}
