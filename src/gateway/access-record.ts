import type { Refusal } from '../http/h1/connection.ts'
import { responseField } from '../http/response-head.ts'
import type { AccessRecord } from '../logging/access-record.ts'
import type { FinishedExchange } from './context.ts'

/** What the access log is told of an exchange. */
export function recordOfExchange(exchange: FinishedExchange): AccessRecord {
  const { head, responseHead } = exchange
  return {
    remoteAddress: exchange.peer.remoteAddress,
    method: head.method,
    target: head.target,
    protocol: head.protocol,
    requestLine: head.requestLine(),
    status: exchange.status,
    bytes: exchange.bytes,
    startedAt: exchange.startedAt,
    seconds: exchange.seconds,
    header: (name) => head.get(name),
    responseHeader: (name) =>
      responseHead === null ? undefined : responseField(responseHead, name),
  }
}

/** What it is told of a message that was refused before it was a request. */
export function recordOfRefusal(refusal: Refusal): AccessRecord {
  const { peer, status, requestLine, startedAt } = refusal
  const [method = '', target = '', protocol = ''] = requestLine.split(' ')
  return {
    remoteAddress: peer.remoteAddress,
    method,
    target,
    protocol,
    requestLine,
    status,
    bytes: 0,
    startedAt,
    seconds: Math.max(0, Date.now() - startedAt) / 1000,
    header: () => undefined,
  }
}
