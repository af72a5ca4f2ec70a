import { quoteText } from '../../bytes/quoted.ts'
import type { RequestHead } from '../../http/request-head.ts'
import {
  commaOutsideQuotes,
  type ForwardedElement,
  parseElement,
} from '../../semantics/forwarded.ts'
import { type ForwardedNode, NOBODY, parseNode } from '../../semantics/forwarded-node.ts'
import { isAuthority } from '../../semantics/x-forwarded.ts'
import { FieldList } from './field-list.ts'
import {
  type ForwardedRequest,
  type IsProxy,
  type ListStart,
  MOST_PROXIES,
} from './forwarded-request.ts'
import { TrustError } from './trust-error.ts'

/**
 * Reads `Forwarded` (RFC 7239) of a request that comes from a trusted proxy: from the right, as
 * long as `for` names trusted proxies. The first other node is the client, and its element says
 * which scheme and host the client has asked for. An element without `for` hides the client.
 *
 * @throws TrustError (`bad-forwarded`) for a malformed element up to there: a trusted proxy has
 * written it
 */
export function readStandardField(head: RequestHead, isProxy: IsProxy): ForwardedRequest {
  const list = new FieldList(head, 'forwarded', commaOutsideQuotes)
  let element: ForwardedElement | null = null
  let client: ForwardedNode | null = null
  let from: ListStart | null = null
  for (let hops = 0; hops < MOST_PROXIES && list.next(); hops++) {
    from = { field: list.field, start: list.start }
    element = parseElement(list.element)
    if (element === null) throw malformed(list.element)
    const node = element.get('for')
    client = node === undefined ? NOBODY : parseNode(node)
    if (client === null) throw malformed(list.element)
    if (!isProxy(client.address)) break
  }
  const proto = element?.get('proto')?.toLowerCase()
  const host = element?.get('host')
  if (proto !== undefined && proto !== 'https' && proto !== 'http') throw malformed(list.element)
  if (host !== undefined && !isAuthority(host)) throw malformed(list.element)
  return {
    client,
    secure: proto === undefined ? null : proto === 'https',
    host: host ?? null,
    port: null,
    prefix: null,
    from,
  }
}

function malformed(element: string): TrustError {
  const shown = quoteText(element)
  return new TrustError('bad-forwarded', `the proxy has sent a malformed Forwarded: ${shown}`)
}
