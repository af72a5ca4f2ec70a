import { type Field, type ResponseHead, responseHead } from './response-head.ts'

/** The field of a 503 that will be over soon: seconds until a new attempt (RFC 9110 §10.2.3). */
export const RETRY_SOON: readonly Field[] = [['Retry-After', '1']]

/**
 * The head and body of one of the server's own answers: a line of plain text with nothing of the
 * request in it, so there is nothing to inject.
 *
 * @param fields further fields
 */
export function smallAnswer(status: number, fields: readonly Field[]): [ResponseHead, Buffer] {
  const head = responseHead(status, [['Content-Type', 'text/plain; charset=utf-8'], ...fields])
  return [head, Buffer.from(`${status} ${head.reason}\n`, 'latin1')]
}
