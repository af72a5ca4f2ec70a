import type { SettingDefinition } from '../definition.ts'

/** The largest requests that are accepted, and how much is kept in memory and on the disk. */
export const limitSettings = [
  {
    name: 'limit_request_line',
    section: 'Limits and buffering',
    flags: ['--limit-request-line'],
    type: 'integer',
    minimum: 0,
    maximum: 1048576,
    metavar: 'BYTES',
    default: 4094,
    doc: `The maximum length of a request line, in bytes; a longer one is answered with 414.
0 means the highest possible value, 1 MiB.`,
  },
  {
    name: 'limit_request_fields',
    section: 'Limits and buffering',
    flags: ['--limit-request-fields'],
    type: 'integer',
    minimum: 0,
    maximum: 32768,
    metavar: 'INT',
    default: 100,
    doc: `The maximum number of header fields in a request; more are answered with 431.
0 means the highest possible value, 32768.`,
  },
  {
    name: 'limit_request_field_size',
    section: 'Limits and buffering',
    // The second spelling is Gunicorn's.
    flags: ['--limit-request-field-size', '--limit-request-field_size'],
    type: 'integer',
    minimum: 0,
    maximum: 1048576,
    metavar: 'BYTES',
    default: 8190,
    doc: `The maximum length of a header field, name and value together, in bytes; a longer one is
answered with 431.
0 means the highest possible value, 1 MiB.

\`limit_request_head\` applies too, so a value above it has no effect unless you raise both.`,
  },
  {
    name: 'limit_request_head',
    section: 'Limits and buffering',
    flags: ['--limit-request-head'],
    type: 'bytes',
    minimum: 0,
    maximum: 1048576,
    metavar: 'SIZE',
    default: '64k',
    doc: `The maximum size of a request head: the request line and all header fields.
A larger one is answered with 431, or 414 if the request line alone is larger.
0 means the highest possible value, 1 MiB.

It bounds the memory that a connection needs before its request has been read, regardless of
\`limit_request_line\`, \`limit_request_fields\` and \`limit_request_field_size\`.
The trailer section of a chunked body has the same limit.
The error log names the setting whose limit a refused request exceeded.`,
  },
  {
    name: 'limit_request_body',
    section: 'Limits and buffering',
    flags: ['--limit-request-body'],
    type: 'bytes',
    minimum: 0,
    metavar: 'SIZE',
    default: 0,
    doc: `The maximum size of a request body; a larger one is answered with 413.
0 means unlimited.

A chunked body is cut off as soon as it exceeds the limit.`,
  },
  {
    name: 'header_map',
    section: 'Limits and buffering',
    flags: ['--header-map'],
    type: 'choice',
    choices: ['drop', 'refuse', 'dangerous'],
    metavar: 'MODE',
    default: 'drop',
    doc: `How to treat header names with an underscore: \`drop\` the header, \`refuse\` the request
with 400, or \`dangerous\`: pass the header on.

\`X_Real_IP\` and \`X-Real-IP\` have the same name in an environ.
With \`dangerous\`, a client can therefore forge a header that a proxy in front is supposed to
control.`,
  },
  {
    name: 'request_buffering',
    section: 'Limits and buffering',
    flags: ['--request-buffering'],
    offFlag: '--no-request-buffering',
    type: 'boolean',
    default: true,
    doc: `Whether to read the whole request body before a worker gets the request.
\`--no-request-buffering\` streams the body to the application instead.

Streaming suits an application that acts on a body while it arrives.
The disadvantage: a slow client occupies a worker, or one of its threads.`,
  },
  {
    name: 'request_buffer_size',
    section: 'Limits and buffering',
    flags: ['--request-buffer-size'],
    type: 'bytes',
    minimum: 0,
    // With the largest environ that a head can make (7 MiB) it has to fit into a frame; see
    // frames.ts.
    maximum: 8 * 1024 * 1024,
    metavar: 'SIZE',
    default: '1M',
    doc: `How much of a request body is kept in memory; a larger body goes to a temporary file.

While more than half of \`client_memory\` is in use, bodies larger than 16 KiB go to a file.`,
  },
  {
    name: 'tmp_upload_dir',
    section: 'Limits and buffering',
    flags: ['--tmp-upload-dir'],
    type: 'path',
    rule: 'folder',
    metavar: 'DIR',
    nullable: true,
    default: null,
    doc: `The folder for the temporary files of large request bodies and of slow clients' responses.
Defaults to the system's folder for temporary files.

The files never outlive their request.
Choose a disk with space for the largest uploads, not a file system in memory.`,
  },
  {
    name: 'client_memory',
    section: 'Limits and buffering',
    flags: ['--client-memory'],
    type: 'bytes',
    minimum: 1024 * 1024,
    nullable: true,
    metavar: 'SIZE',
    default: null,
    doc: `The maximum amount of memory for data of clients: incomplete requests, request bodies,
unsent responses.
Defaults to a quarter of the available memory, at most 1 GiB.

The available memory is that of the container (cgroup) if it has a limit, otherwise that of the
machine.
The acceptors share the total equally.
At half of it, bodies and the responses of slow clients go to the disk early.
When it is used up, the server stops reading incomplete heads.
It then answers 503 with \`Retry-After\` to new heads that arrive in pieces, and to new requests
whose body is chunked or larger than 16 KiB and would not go to the disk
(\`--no-request-buffering\`, TypeScript applications).
All other requests still begin until the total is exceeded by half.
From then on, all such bodies are answered with 503, and only workers that hold nothing begin other
requests (TypeScript applications: they get 503).
Clients that take or send less than 16 KiB in a second are disconnected.`,
  },
  {
    name: 'spool_size',
    section: 'Limits and buffering',
    flags: ['--spool-size'],
    type: 'bytes',
    minimum: 0,
    nullable: true,
    metavar: 'SIZE',
    default: null,
    doc: `The maximum disk space for all temporary files together.
Defaults to half of the space that is free at start, at most 8 GiB.

The acceptors share the total equally.
On a file system in memory (tmpfs), the default is also at most a quarter of the available memory.
When it is used up, a request whose body needs the disk is answered with 503.
A body that is partly written waits for space for up to \`body_timeout\`.
Responses are no longer spooled (see \`response_spool_size\`).`,
  },
  {
    name: 'spool_reserve',
    section: 'Limits and buffering',
    flags: ['--spool-reserve'],
    type: 'bytes',
    minimum: 0,
    nullable: true,
    metavar: 'SIZE',
    default: null,
    doc: `How much space stays free on the disk with the temporary files, whatever else uses it.
Defaults to a tenth of the disk, at most 1 GiB.

When less is free, the server behaves as if \`spool_size\` were used up.`,
  },
  {
    name: 'response_window',
    section: 'Limits and buffering',
    flags: ['--response-window'],
    type: 'bytes',
    minimum: 16 * 1024,
    maximum: 64 * 1024 * 1024,
    metavar: 'SIZE',
    default: '256k',
    doc: `How far the application may be ahead of its client, in bytes of the response body.

It bounds the memory that each slow reader takes.
Meanwhile, a worker runs other requests.`,
  },
  {
    name: 'response_spool_size',
    section: 'Limits and buffering',
    flags: ['--response-spool-size'],
    type: 'bytes',
    minimum: 0,
    metavar: 'SIZE',
    default: '64M',
    doc: `How much of one response goes to a temporary file when its client reads slowly.
0 disables spooling.

A Python worker is finished with a response as soon as the server has taken it, so a slow client
occupies neither the worker's memory nor one of its threads.
A client is slow if the application has filled \`response_window\` and the client takes nothing for
10 ms.
What exceeds the size stays in the worker until the client has taken the rest.
Responses of TypeScript applications are not spooled.`,
  },
] as const satisfies readonly SettingDefinition[]
