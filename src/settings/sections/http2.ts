import type { SettingDefinition } from '../definition.ts'

/** HTTP/2: where it is spoken, and what clients have to keep to. */
export const http2Settings = [
  {
    name: 'http2',
    section: 'HTTP/2',
    flags: ['--http2'],
    offFlag: '--no-http2',
    type: 'boolean',
    default: true,
    doc: `Whether to offer HTTP/2 on addresses with TLS.
\`--no-http2\` leaves HTTP/1.1 there.

A client chooses during the TLS handshake (ALPN).`,
  },
  {
    name: 'h2c',
    section: 'HTTP/2',
    flags: ['--h2c'],
    type: 'boolean',
    default: false,
    doc: `Whether to accept HTTP/2 on addresses without TLS too, from clients that begin with it
("prior knowledge", RFC 9113 §3.3).

This is for proxies that speak HTTP/2 to their backends.
Other clients of these addresses are served HTTP/1.1.
An \`Upgrade: h2c\` is ignored: RFC 9113 has dropped it.`,
  },
  {
    name: 'http2_max_concurrent_streams',
    section: 'HTTP/2',
    flags: ['--http2-max-concurrent-streams'],
    type: 'integer',
    minimum: 1,
    maximum: 10000,
    metavar: 'INT',
    default: 100,
    doc: `The maximum number of requests that a client may have under way at once on an HTTP/2
connection.
Further ones are refused in a way that allows the client to repeat them.`,
  },
  {
    name: 'http2_initial_window_size',
    section: 'HTTP/2',
    flags: ['--http2-initial-window-size'],
    type: 'integer',
    minimum: 1024,
    maximum: 16777215,
    metavar: 'BYTES',
    default: 65535,
    doc: `How many bytes of a request body an HTTP/2 client may send before the server has taken any
of them.

A larger window makes uploads over long distances faster.
It is what each request in progress may cost in memory, which counts towards \`client_memory\`.`,
  },
  {
    name: 'http2_max_frame_size',
    section: 'HTTP/2',
    flags: ['--http2-max-frame-size'],
    type: 'integer',
    minimum: 16384,
    maximum: 16777215,
    metavar: 'BYTES',
    default: 16384,
    doc: 'The maximum size of a frame that an HTTP/2 client may send, in bytes.',
  },
  {
    name: 'http2_max_header_list_size',
    section: 'HTTP/2',
    flags: ['--http2-max-header-list-size'],
    type: 'integer',
    minimum: 1024,
    maximum: 1048576,
    metavar: 'BYTES',
    default: 65536,
    doc: `The maximum size of the header fields of an HTTP/2 request after decompression, with 32
bytes more for each field, as RFC 9113 §6.5.2 counts.
A larger request is reset.

The limits on heads, such as \`limit_request_fields\`, apply as well, and are answered with 431.`,
  },
] as const satisfies readonly SettingDefinition[]
