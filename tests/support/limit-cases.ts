/** A request that every version of HTTP refuses with the same status, by the default limits. */
export interface LimitCase {
  readonly name: string
  readonly status: number
  readonly target?: string
  /** Beside the host. */
  readonly fields?: readonly (readonly [name: string, value: string])[]
}

const fields = (count: number, size: number) =>
  Array.from({ length: count }, (_, i) => [`x${i}`, 'a'.repeat(size)] as const)

/** Put to HTTP/1.1 by limits.test.ts, and to HTTP/2 by http2-requests.test.ts. */
export const limitCases: readonly LimitCase[] = [
  { name: 'a target over limit_request_line', status: 414, target: `/${'a'.repeat(4095)}` },
  { name: 'more fields than limit_request_fields', status: 431, fields: fields(101, 1) },
  { name: 'a field over limit_request_field_size', status: 431, fields: fields(1, 8190) },
  { name: 'fields over limit_request_head', status: 431, fields: fields(9, 8000) },
  { name: 'an expectation of none', status: 417, fields: [['expect', 'miracles']] },
  { name: 'a target with a fragment', status: 400, target: '/a#here' },
  {
    name: 'two types of content',
    status: 400,
    fields: [
      ['content-type', 'a/b'],
      ['content-type', 'a/b'],
    ],
  },
]
