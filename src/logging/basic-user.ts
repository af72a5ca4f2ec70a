/**
 * The user name in `Basic base64(user:password)` (RFC 7617 §2), a latin-1 view of its bytes;
 * undefined if there is none. It is not verified.
 *
 * @param authorization the value of the request's Authorization
 * @example basicUser('Basic YW5uOnNlY3JldA==') // 'ann'
 */
export function basicUser(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
  const match = /^basic +([a-z0-9+/]+={0,2}) *$/i.exec(authorization)
  if (match === null) return undefined
  let credentials: string
  try {
    credentials = atob(match[1]!)
  } catch {
    return undefined // not base64
  }
  const colon = credentials.indexOf(':')
  return colon === -1 ? undefined : credentials.slice(0, colon)
}
