import { type Field, type ResponseHead, responseHead } from '../../http/response-head.ts'

/** The name of this cache in Cache-Status. */
export const CACHE_NAME = 'monoceros'

/** Why a request went to the application (RFC 9211 §2.2). */
export type Forwarded = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'stale' | 'request'

/** The parameters of Cache-Status for an answer from the store (RFC 9211 §2.1, §2.4). */
export function hitStatus(ttl: number): string {
  return `hit; ttl=${ttl}`
}

/** A field with the parameters of this cache. */
export function statusField(parameters: string): Field {
  return ['Cache-Status', `${CACHE_NAME}; ${parameters}`]
}

/** The heads of an application's answers with what they became: most answers have one of a few. */
const marked = new WeakMap<ResponseHead, Map<string, ResponseHead>>()

/** A head with Cache-Status. Ours comes last, because the client is next (RFC 9211 §2). */
export function withStatus(head: ResponseHead, parameters: string): ResponseHead {
  let byParameters = marked.get(head)
  if (byParameters === undefined) {
    byParameters = new Map()
    marked.set(head, byParameters)
  }
  const known = byParameters.get(parameters)
  if (known !== undefined) return known
  const { status, fields, contentLength, reason } = head
  const made = responseHead(status, [...fields, statusField(parameters)], contentLength, reason)
  byParameters.set(parameters, made)
  return made
}
