import type { SettingDefinition } from '../definition.ts'

/** Metrics that the server shows or sends, and its health. */
export const metricsSettings = [
  {
    name: 'metrics_bind',
    section: 'Metrics',
    flags: ['--metrics-bind'],
    type: 'addresses',
    rule: 'plain-addresses',
    metavar: 'ADDRESS',
    default: [],
    doc: `An address of its own for metrics and health: \`127.0.0.1:9400\` or \`unix:PATH\`; repeatable.
Defaults to none.

| path | answer |
|---|---|
| \`/metrics\` | [the metrics](metrics.md) as text for Prometheus, or as OpenMetrics if the client accepts it |
| \`/livez\` | 200 while the arbiter runs |
| \`/readyz\` | 200 while a worker serves; 503 while the application loads for the first time, without workers, while no acceptor answers within 0.8 s, and from the beginning of a stop or a drain |
| \`/startupz\` | 200 as soon as the server has served for the first time, otherwise 503 |

The arbiter answers, so these work while acceptors and workers hang.
Whoever can connect can read, so choose an address that only your own programs reach.
An address in use is an error at the start.
At a reload, and in a server that is to replace this one (USR2), it is tried again each second.`,
  },
  {
    name: 'health_path',
    section: 'Metrics',
    flags: ['--health-path'],
    type: 'string',
    rule: 'url-path',
    metavar: 'PATH',
    nullable: true,
    default: null,
    doc: `A path on the addresses of \`bind\` that tells load balancers whether the server is ready:
\`/healthz\`.
Defaults to none.

The acceptor answers GET and HEAD by itself, whatever the host name and the query, and asks no
worker: 200 while a worker of its own serves, otherwise 503, and 503 from the beginning of a stop
or a drain.
Everybody who can send requests can ask.`,
  },
  {
    name: 'dashboard',
    section: 'Metrics',
    flags: ['--dashboard'],
    type: 'choice',
    choices: ['local', 'token', 'off'],
    metavar: 'WHO',
    default: 'local',
    doc: `Who may see the dashboard, the page at \`/\` of \`metrics_bind\`.
It is in [its guide](../guides/dashboard.md).

| value | who sees what |
|---|---|
| \`local\` | whoever connects to a loopback address or a unix socket sees everything; others see the charts, and everything with the control token (\`control_token_file\`) |
| \`token\` | everybody sees the charts, and everything with the control token |
| \`off\` | there is no dashboard, and no history is kept |

The charts have the numbers of \`/metrics\`.
The rest has paths of requests, tracebacks, the log and the settings.
Actions, such as a reload, always need the control token.`,
  },
  {
    name: 'dashboard_instances',
    section: 'Metrics',
    flags: ['--dashboard-instances'],
    type: 'strings',
    rule: 'http-origins',
    metavar: 'URL',
    default: [],
    doc: `Other servers that the dashboard shows beside this one: the address of the
\`metrics_bind\` of each, such as \`http://10.0.0.2:9400\`.
Separate them with commas, or repeat the flag; at most 16.

The arbiter asks them while somebody looks, and nobody else decides whom it asks.`,
  },
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
