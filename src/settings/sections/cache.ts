import type { SettingDefinition } from '../definition.ts'

/** The response cache, and compression. */
export const cacheSettings = [
  {
    name: 'cache',
    section: 'Cache and compression',
    flags: ['--cache'],
    offFlag: '--no-cache',
    type: 'bytes',
    minimum: 64 * 1024,
    nullable: true,
    metavar: 'SIZE',
    default: null,
    doc: `The size of the response cache: responses that say for how long they are fresh are stored in
memory and answered from there, without the application.
Off by default.

The acceptors share the total equally, and each has a cache of its own.
Keys, headers and bodies are counted.
The cache follows RFC 9111, and does not store responses with \`Set-Cookie\`, nor those to requests
with \`Authorization\`.
Each answer has \`Cache-Status\` (RFC 9211), which says what the cache did.
See [Caching](../guides/caching.md).`,
  },
  {
    name: 'cache_entry_size',
    section: 'Cache and compression',
    flags: ['--cache-entry-size'],
    type: 'bytes',
    minimum: 1,
    metavar: 'SIZE',
    default: 1024 * 1024,
    doc: `The longest response body that is stored.
A longer one is sent on, and not stored.`,
  },
  {
    name: 'cache_wait',
    section: 'Cache and compression',
    flags: ['--cache-wait'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 5,
    doc: `How long a request waits if another one has asked the application for the same response.
After this time, it asks the application too.
0 disables waiting.`,
  },
  {
    name: 'cache_heuristic',
    section: 'Cache and compression',
    flags: ['--cache-heuristic'],
    type: 'integer',
    minimum: 0,
    maximum: 100,
    metavar: 'PERCENT',
    default: 0,
    doc: `Also stores responses that have \`Last-Modified\` and do not say for how long they are fresh:
for this percentage of the time since they were last modified, at most for a day (RFC 9111 §4.2.2).
0 stores no such responses.`,
  },
  {
    name: 'cache_purge_from',
    section: 'Cache and compression',
    flags: ['--cache-purge-from'],
    type: 'strings',
    rule: 'networks',
    metavar: 'ADDRESSES',
    default: [],
    doc: `Addresses and networks (\`10.0.0.0/8\`) of clients that may drop responses from the cache with
the method \`PURGE\`.
Comma separated.

\`PURGE /page\` drops the responses for this URL, \`PURGE /blog/*\` all whose path begins like this.
Other clients get 403; if no addresses are given, everybody gets 405.`,
  },
  {
    name: 'compress',
    section: 'Cache and compression',
    flags: ['--compress'],
    type: 'boolean',
    default: false,
    doc: `Compresses the responses of the application with brotli, zstd (Node.js 22.15 or newer) or
gzip, as the client accepts.

The types and headers that count are those of the \`compress\` middleware: text, JSON, XML, SVG and
the like, without \`Content-Encoding\` and \`Cache-Control: no-transform\`.
A streamed response stays streamed.
Files of \`static\` are not compressed; they may be compressed in advance.

Do not use it for pages with a secret beside text that others can choose (the BREACH attack), unless
the secret changes with each response, as Django's CSRF token does.`,
  },
  {
    name: 'compress_minimum',
    section: 'Cache and compression',
    flags: ['--compress-minimum'],
    type: 'bytes',
    minimum: 0,
    metavar: 'SIZE',
    default: 1024,
    doc: 'Responses that are known to be shorter are not compressed.',
  },
  {
    name: 'compress_level',
    section: 'Cache and compression',
    flags: ['--compress-level'],
    type: 'mapping',
    rule: 'compress-level',
    numeric: true,
    metavar: 'CODING=LEVEL',
    default: {},
    doc: `The level of a coding: \`br\` 0–11 (4 if not given), \`zstd\` 1–19 (3), \`gzip\` 1–9 (6).
May be given several times.

Higher levels take more time for little gain.`,
  },
] as const satisfies readonly SettingDefinition[]
