import type { SettingDefinition } from '../definition.ts'

/** Traces of requests (W3C Trace Context, OpenTelemetry). */
export const traceSettings = [
  {
    name: 'trace_context',
    section: 'Traces',
    flags: ['--trace-context'],
    type: 'boolean',
    default: false,
    doc: `Give each request a place in a trace (W3C Trace Context), which the application gets in
\`HTTP_TRACEPARENT\` and \`HTTP_TRACESTATE\`, and the logs get as well.
\`otlp\` switches it on too.

The trace of a request from \`trace_allow_ips\` is continued.
All other requests begin a trace, and what they say about one is removed.
See [Traces](../guides/traces.md).`,
  },
  {
    name: 'trace_allow_ips',
    section: 'Traces',
    flags: ['--trace-allow-from'],
    type: 'strings',
    rule: 'networks',
    metavar: 'ADDRESSES',
    nullable: true,
    default: null,
    doc: `Addresses and networks of those whose traces are continued: proxies and other services;
comma separated, \`*\` for all.
Defaults to \`forwarded_allow_ips\`.

Connections over a Unix socket are always among them.
They decide whether a trace is recorded, so a stranger could fill your trace store.`,
  },
  {
    name: 'trace_sample',
    section: 'Traces',
    flags: ['--trace-sample'],
    type: 'string',
    rule: 'ratio',
    numeric: true,
    metavar: 'RATIO',
    nullable: true,
    default: null,
    doc: `Which part of the traces that begin here is recorded, from 0 to 1.
Defaults to what \`OTEL_TRACES_SAMPLER\` says, or else to 1.

A trace that is continued is recorded if its sender records it.`,
  },
  {
    name: 'otlp',
    section: 'Traces',
    flags: ['--otlp'],
    type: 'string',
    rule: 'otlp-endpoint',
    metavar: 'URL',
    nullable: true,
    default: null,
    doc: `Where spans are sent: the URL of an OpenTelemetry collector, or of whatever takes OTLP over
HTTP, such as \`http://127.0.0.1:4318\`; \`env\` for what \`OTEL_EXPORTER_OTLP_ENDPOINT\` says.
Defaults to no spans.

Each request that is recorded has a span, with spans in it for the queue, the application and the
sending of the response.
\`/v1/traces\` is added to the URL unless it ends so.
The other variables \`OTEL_…\` of the environment are those of every OpenTelemetry SDK; see
[Traces](../guides/traces.md#variables).`,
  },
  {
    name: 'server_timing',
    section: 'Traces',
    flags: ['--server-timing'],
    type: 'choice',
    choices: ['off', 'trusted', 'always'],
    switchedOn: 'trusted',
    spellings: { false: 'off', '0': 'off', true: 'trusted', '1': 'trusted' },
    metavar: 'WHOM',
    default: 'off',
    doc: `Whether responses have \`Server-Timing\`, which browsers show in their developer tools: how
long the request waited for a worker, how long the application took, and the trace if there is one.

The flag alone means \`trusted\`: only clients of \`trace_allow_ips\` get it, by default those on this
machine.
\`always\` is for everyone, who can then tell how busy your server is.`,
  },
] as const satisfies readonly SettingDefinition[]
