import type { SettingDefinition } from '../definition.ts'

/** Metrics that the server sends. */
export const metricsSettings = [
  {
    name: 'statsd_host',
    section: 'Metrics',
    flags: ['--statsd-host'],
    type: 'string',
    rule: 'statsd-address',
    metavar: 'ADDRESS',
    nullable: true,
    default: null,
    doc: `The address of a StatsD daemon, to which metrics are sent: \`HOST:PORT\` or
\`unix://PATH\`.
Defaults to no metrics.

They have Gunicorn's names and types:

| metric | type | what it counts |
|---|---|---|
| \`gunicorn.requests\` | counter | requests |
| \`gunicorn.request.duration\` | timer | their duration in milliseconds, one value for each |
| \`gunicorn.request.status.NNN\` | counter | requests with that status |
| \`gunicorn.workers\` | gauge | workers |
| \`gunicorn.log.warning\`, \`.error\`, \`.critical\` | counter | entries of the error log |
| \`gunicorn.log.exception\` | counter | entries with a Python traceback |
| \`gunicorn.backlog\` | histogram | see \`enable_backlog_metric\` |

A datagram has up to 1,400 bytes of metrics, separated by line ends, and is at most a tenth of a
second late.
Counts of the same name within one datagram are added up.`,
  },
  {
    name: 'statsd_prefix',
    section: 'Metrics',
    flags: ['--statsd-prefix'],
    type: 'string',
    rule: 'one-line',
    metavar: 'TEXT',
    default: '',
    doc: `A prefix for the names of metrics; a dot is added if it does not end with one.`,
  },
  {
    name: 'dogstatsd_tags',
    section: 'Metrics',
    flags: ['--dogstatsd-tags'],
    type: 'string',
    rule: 'one-line',
    metavar: 'TAGS',
    default: '',
    doc: `Tags for all metrics, in the form of DogStatsD: \`env:prod,team:shop\`.`,
  },
  {
    name: 'enable_backlog_metric',
    section: 'Metrics',
    flags: ['--enable-backlog-metric'],
    type: 'boolean',
    default: false,
    doc: `Send \`gunicorn.backlog\` once a second: how many connections wait in the
kernel for an acceptor.
Only on Linux.`,
  },
] as const satisfies readonly SettingDefinition[]
