/**
 * The names, in lower case, of the fields that describe one connection (RFC 9110 §7.6.1). They
 * belong to the server: an application must not send them (PEP 3333 "Other HTTP Features").
 *
 * These are the ones that wsgiref knows, plus `Trailer`, which wsgiref misspells as `Trailers`, and
 * `Proxy-Connection`. `python/monoceros/response_head.py` has the same list; a test compares both.
 */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
])
