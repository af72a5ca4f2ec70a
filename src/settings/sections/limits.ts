import type { SettingDefinition } from '../definition.ts'

/** What we accept of a client, and how much of it is kept in memory. */
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
    doc: `The longest request line, in bytes; a longer one is answered 414. 0 means as long as is ever accepted: 1 MiB.`,
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
    doc: `The largest number of header fields in a request; more are answered 431. 0 means as many as are ever accepted: 32768.`,
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
    doc: `The longest header field of a request, name and value, in bytes; a longer one is answered 431. 0 means as long as is ever accepted: 1 MiB.

A value above \`limit_request_head\` has no effect unless that is raised too, because it holds for the whole head.`,
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
    doc: `The largest head of a request: its request line and all header fields together. A larger one is answered 431, or 414 when the request line alone is larger. 0 means as large as is ever accepted: 1 MiB.

It bounds the memory that a connection takes before its request has been read, and holds whatever \`limit_request_line\`, \`limit_request_fields\` and \`limit_request_field_size\` are. The trailer section of a chunked body is held to the same. The error log names the setting that a refused request was over.`,
  },
  {
    name: 'limit_request_body',
    section: 'Limits and buffering',
    flags: ['--limit-request-body'],
    type: 'bytes',
    minimum: 0,
    metavar: 'SIZE',
    default: 0,
    doc: `The largest request body; a larger one is answered 413. 0 means unlimited.

It holds for chunked bodies too, which are cut off as soon as they grow beyond it.`,
  },
  {
    name: 'header_map',
    section: 'Limits and buffering',
    flags: ['--header-map'],
    type: 'choice',
    choices: ['drop', 'refuse', 'dangerous'],
    metavar: 'MODE',
    default: 'drop',
    doc: `What to do with header names that contain an underscore: \`drop\` them, \`refuse\` the request with 400, or \`dangerous\`: pass them on.

\`X_Real_IP\` and \`X-Real-IP\` have the same name in an environ, so with \`dangerous\` a client can forge a header that a
proxy in front believes it controls.`,
  },
  {
    name: 'request_buffering',
    section: 'Limits and buffering',
    flags: ['--request-buffering'],
    offFlag: '--no-request-buffering',
    type: 'boolean',
    default: true,
    doc: `Read the whole request body before a worker is engaged (the default); \`--no-request-buffering\` streams it to the application instead.

Streaming suits an application that wants to act on a body while it still arrives, at the price that a slow client then holds a worker (or a thread of it).`,
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
    doc: `How much of a request body is kept in memory; the whole body goes to a temporary file when it is larger.

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
    doc: `The folder for the temporary files of large request bodies and of slow clients' responses; the system's own when not set.

The files never outlive their request. Choose a disk with room for the largest uploads, not a file system in memory.`,
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
    doc: `The most memory that the server holds for its clients: incomplete requests, request bodies, unsent responses. Defaults to a quarter of the memory there is, at most 1 GiB.

The memory there is: that of the container (cgroup) if it has a limit, otherwise that of the machine.
The acceptors share the total equally.
At half of it, bodies and the responses of slow clients go to the disk early.
When it is used up, the server stops reading heads that are incomplete, and answers 503 with \`Retry-After\` to new heads that come in pieces, and to new requests whose body is chunked or larger than 16 KiB and would not go to the disk (\`--no-request-buffering\`, TypeScript applications).
All else still begins until the total is exceeded by half; from then on all such bodies are answered 503, only workers that hold nothing begin other requests (TypeScript applications: they get 503), and clients that take or send less than 16 KiB in a second are given up.`,
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
    doc: `The most disk space that temporary files take together. Defaults to half of the space that is free at start, at most 8 GiB.

The acceptors share the total equally. On a file system in memory (tmpfs) the default is also at most a quarter of the memory there is.
When it is used up, a request whose body needs the disk is answered 503, a body that is partly written waits for room for up to \`body_timeout\`,
and responses are no longer spooled (see \`response_spool_size\`).`,
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
    doc: `How much of the disk with the temporary files stays free, whoever uses it. Defaults to a tenth of the disk, at most 1 GiB.

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
    doc: `How much of one response body the application may be ahead of its client.

It bounds what is kept in memory for each slow reader; a worker goes on with other requests meanwhile.`,
  },
  {
    name: 'response_spool_size',
    section: 'Limits and buffering',
    flags: ['--response-spool-size'],
    type: 'bytes',
    minimum: 0,
    metavar: 'SIZE',
    default: '64M',
    doc: `How much of one response goes to a temporary file when its client reads slowly; 0 disables spooling.

A Python worker is done with a response as soon as the server has taken it, so a slow client holds neither the worker's memory nor one of its threads.
A client is slow when the application has filled \`response_window\` and the client takes nothing for 10 ms.
What exceeds the size stays with the worker until the client has taken the rest.
Responses of TypeScript applications are not spooled.`,
  },
] as const satisfies readonly SettingDefinition[]
