import type { RequestHead } from '../../http/request-head.ts'
import type { ForwardedNode } from '../../semantics/forwarded-node.ts'
import { NOBODY } from '../../semantics/forwarded-node.ts'
import { lastComma } from '../../semantics/list-from-right.ts'
import {
  isAuthority,
  isPort,
  isPrefix,
  parseForwardedFor,
  unquote,
} from '../../semantics/x-forwarded.ts'
import { FieldList } from './field-list.ts'
import {
  type ForwardedRequest,
  type IsProxy,
  type ListStart,
  MOST_PROXIES,
} from './forwarded-request.ts'

/**
 * Reads `X-Forwarded-For`, `-Host`, `-Port` and `-Prefix` of a request that comes from a trusted
 * proxy, and the place of `X-Forwarded-Proto` that counts.
 *
 * `X-Forwarded-For` is walked from the right as long as its addresses are those of trusted proxies.
 * The first other one is the client. An element that cannot be read ends the walk: then the client
 * is not known.
 *
 * Of the other headers, the element of the proxy that the client has connected to counts: as far
 * from the right as the client in `X-Forwarded-For`. Most proxies replace these headers instead of
 * appending, so if there are fewer elements, it is the leftmost.
 */
export function readLegacyFields(
  head: RequestHead,
  isProxy: IsProxy,
): ForwardedRequest & { readonly proto: string | null } {
  const list = new FieldList(head, 'x-forwarded-for', lastComma)
  let client: ForwardedNode | null = null
  let from: ListStart | null = null
  let hops = 0
  while (hops < MOST_PROXIES && list.next()) {
    hops++
    from = { field: list.field, start: list.start }
    client = parseForwardedFor(list.element) ?? NOBODY
    if (!isProxy(client.address)) break
  }
  const place = Math.max(hops, 1)
  const host = elementAt(head, 'x-forwarded-host', place)
  const port = elementAt(head, 'x-forwarded-port', place)
  const prefix = elementAt(head, 'x-forwarded-prefix', place)
  const proto = elementAt(head, 'x-forwarded-proto', place)
  return {
    client,
    secure: null,
    host: isAuthority(host) ? host : null,
    port: isPort(port) ? port : null,
    prefix: isPrefix(prefix) ? prefix : null,
    from,
    proto: proto ?? null,
  }
}

/** @param place counted from the right: 1 is the last */
function elementAt(head: RequestHead, name: string, place: number): string | undefined {
  const list = new FieldList(head, name, lastComma)
  let element: string | undefined
  for (let i = 0; i < place && list.next(); i++) element = list.element
  return element === undefined ? undefined : unquote(element)
}
