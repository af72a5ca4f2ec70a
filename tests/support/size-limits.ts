/**
 * What is as large as the settings allow, and what is a little larger. tests/e2e/limits.test.ts
 * puts the cases over HTTP/1.1 and TLS, tests/release/limits-http2.test.ts over HTTP/2.
 */

export interface SizeLimit {
  readonly name: string
  /** It is for a server with {@link strictLimits}. */
  readonly strict?: true
  readonly allowed: string
  /** The status of what is allowed. */
  readonly answer: number
  readonly refused: string
  readonly refusal: number
  /** Host is one of the fields, which in HTTP/2 it is not: then there may be one more. */
  readonly countsHost?: true
}

const request = (line: string, ...fields: string[]) => [line, ...fields, '', ''].join('\r\n')
const host = 'Host: test'
const line = (length: number) => `GET /${'a'.repeat(length - 'GET / HTTP/1.1'.length)} HTTP/1.1`
const fields = (count: number) => Array.from({ length: count }, (_, number) => `X-${number}: a`)
const get = (...more: string[]) => request('GET / HTTP/1.1', host, ...more)
const chunked = (...sizes: number[]) =>
  request('POST /length HTTP/1.1', host, 'Transfer-Encoding: chunked') +
  [...sizes, 0].map((size) => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`).join('')
const body = (size: number) =>
  request('POST /length HTTP/1.1', host, `Content-Length: ${size}`) + 'x'.repeat(size)

export const usualLimits = ['--limit-request-body', '1000']

export const strictLimits = [
  ...['--limit-request-line', '100', '--limit-request-head', '150'],
  ...['--limit-request-fields', '2', '--limit-request-field-size', '50'],
]

export const sizeLimits: readonly SizeLimit[] = [
  {
    name: 'a request line of 4094 bytes is read, of 4095 refused',
    allowed: request(line(4094), host),
    answer: 404,
    refused: request(line(4095), host),
    refusal: 414,
  },
  {
    name: 'limit_request_line',
    strict: true,
    allowed: request(line(100), host),
    answer: 404,
    refused: request(line(101), host),
    refusal: 414,
  },
  {
    name: '100 fields are read, 101 refused',
    allowed: get(...fields(99)),
    answer: 200,
    refused: get(...fields(100)),
    refusal: 431,
    countsHost: true,
  },
  {
    name: 'a field longer than 8190 bytes is refused',
    allowed: get(`X: ${'a'.repeat(8000)}`),
    answer: 200,
    refused: get(`X: ${'a'.repeat(8190)}`),
    refusal: 431,
  },
  {
    name: 'limit_request_fields',
    strict: true,
    allowed: get('A: b'),
    answer: 200,
    refused: get('A: b', 'C: d'),
    refusal: 431,
    countsHost: true,
  },
  {
    name: 'limit_request_field_size',
    strict: true,
    allowed: get(`A: ${'b'.repeat(40)}`),
    answer: 200,
    refused: get(`A: ${'b'.repeat(50)}`),
    refusal: 431,
  },
  {
    name: 'limit_request_head',
    strict: true,
    allowed: get(`A: ${'b'.repeat(40)}`),
    answer: 200,
    refused: request(line(100), host, `A: ${'b'.repeat(40)}`),
    refusal: 431,
  },
  {
    name: 'a body of 1000 bytes is read, of 1001 refused',
    allowed: body(1000),
    answer: 200,
    refused: body(1001),
    refusal: 413,
  },
  {
    name: 'a body without a length of 1000 bytes is read, of 1001 refused',
    allowed: chunked(500, 500),
    answer: 200,
    refused: chunked(500, 500, 1),
    refusal: 413,
  },
]
