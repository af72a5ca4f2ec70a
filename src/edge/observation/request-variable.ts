import type { Peer } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'

/**
 * A variable of a request's environ, for logs: those that the server itself knows where it writes
 * the logs. Variables that an application or its middleware adds are in the worker only.
 *
 * @param name in lower case: `server_port`, `http_x_request_id`
 */
export function requestVariable(head: RequestHead, peer: Peer, name: string): string | undefined {
  if (name.startsWith('http_')) return head.get(name.slice(5).replaceAll('_', '-'))
  switch (name) {
    case 'request_method':
      return head.method
    case 'raw_uri':
    case 'request_uri':
      return head.target
    case 'query_string':
      return head.bytes.toString('latin1', head.queryStart, head.queryEnd)
    case 'server_protocol':
      return head.protocol
    case 'content_type':
    case 'content_length':
      return head.get(name.replace('_', '-'))
    case 'remote_addr':
      return peer.remoteAddress
    case 'remote_port':
      return peer.remotePort === 0 ? undefined : String(peer.remotePort)
    case 'server_name':
      return peer.localAddress
    case 'server_port':
      return peer.localAddress === '' ? undefined : String(peer.localPort)
    case 'wsgi.url_scheme':
      return head.secure ? 'https' : 'http'
    default:
      return undefined
  }
}
