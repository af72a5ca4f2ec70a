/**
 * Whether a response with this status has no body, whatever its fields say: 204 and 304 (RFC 9110
 * §6.4.1). Neither has the response to HEAD, but that is about the request.
 */
export function isBodiless(status: number): boolean {
  return status === 204 || status === 304
}
