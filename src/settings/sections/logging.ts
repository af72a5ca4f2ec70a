import { combinedFormat } from '../../logging/access-format.ts'
import { defaultSyslogAddress, syslogFacilities } from '../../logging/syslog-address.ts'
import type { SettingDefinition } from '../definition.ts'

/** The two logs. */
export const loggingSettings = [
  {
    name: 'access_logfile',
    section: 'Logging',
    flags: ['--access-logfile'],
    type: 'path',
    metavar: 'FILE',
    nullable: true,
    default: null,
    gunicornName: 'accesslog',
    doc: `The access log: a file, or \`-\` for standard output.
Defaults to no access log.

Lines are written together, at most a tenth of a second late.
If the reader of a pipe stalls, up to 8 MiB wait in memory.
Further lines are lost, and the error log says how many.`,
  },
  {
    name: 'access_log_format',
    section: 'Logging',
    flags: ['--access-logformat', '--access-log-format'],
    type: 'string',
    rule: 'access-log-format',
    metavar: 'TEXT',
    default: combinedFormat,
    doc: `The format of a line in the access log.
Defaults to Apache's combined format.

\`json\` makes each line a JSON object, with the members \`time\`, \`remote_addr\`, \`user\`, \`method\`,
\`path\`, \`query\`, \`protocol\`, \`status\`, \`bytes\`, \`duration\` (seconds), \`referer\`, \`user_agent\`
and \`pid\`; with traces also \`trace_id\` and \`span_id\`.
For members of your own, write \`json:\` and an object: \`json:{"path": "%(U)s", "ms": "%(M)s"}\`.
[Logging](../guides/logging.md) has the details.

| atom | stands for |
|---|---|
| \`%(h)s\` | client address |
| \`%(l)s\` | \`-\` |
| \`%(u)s\` | user name of HTTP Basic authentication, or \`-\` |
| \`%(t)s\` | time at which the request began: \`[23/Nov/2026:00:08:11 +0000]\` |
| \`%(r)s\` | request line |
| \`%(m)s\`, \`%(U)s\`, \`%(q)s\`, \`%(H)s\` | method, path, query string, protocol |
| \`%(s)s\` | status |
| \`%(b)s\`, \`%(B)s\` | bytes of the body that were sent; \`-\` and \`0\` for an empty body |
| \`%(f)s\`, \`%(a)s\` | \`Referer\` and \`User-Agent\` of the request |
| \`%(T)s\`, \`%(M)s\`, \`%(D)s\`, \`%(L)s\` | duration: whole seconds, milliseconds, microseconds, seconds with six decimals |
| \`%(p)s\` | process id of the acceptor, in angle brackets |
| \`%(trace_id)s\`, \`%(span_id)s\` | the request's place in a trace (\`trace_context\`) |
| \`%({name}i)s\`, \`%({name}o)s\` | a request header, a response header |
| \`%({name}e)s\` | a variable of the environ that the server itself sets, such as \`server_port\` or \`http_host\`; not those of the application or its middleware |
| \`%%\` | a percent sign |

An atom may have a width, as in Python: \`%(h)-15s\`, \`%(L).2f\`, \`%(D)8d\`.
Anything absent is \`-\`, and \`null\` in JSON; an absent query string is empty.
Quotes, backslashes, control characters and bytes beyond ASCII that a client sent are escaped as in
Apache.`,
  },
  {
    name: 'access_log_skip',
    section: 'Logging',
    flags: ['--access-log-skip'],
    type: 'strings',
    metavar: 'PATHS',
    default: [],
    doc: `Paths whose requests are left out of the access log, such as those of health checks:
\`/healthz,/livez\`; comma separated, repeatable.
\`*\` stands for any characters: \`/static/*\`.

A request that is answered with a status of 400 or more is in the log all the same.
It takes the place of a \`logging.Filter\` on \`gunicorn.access\`.`,
  },
  {
    name: 'error_logfile',
    section: 'Logging',
    flags: ['--error-logfile', '--log-file'],
    type: 'path',
    metavar: 'FILE',
    default: '-',
    gunicornName: 'errorlog',
    doc: `The log of everything except requests: a file, or \`-\` for standard error.

It always includes what the application prints (standard output, standard error, \`wsgi.errors\`),
line by line with the worker's process id; \`--capture-output raw\` passes it on as it is.`,
  },
  {
    name: 'error_log_format',
    section: 'Logging',
    flags: ['--error-logformat', '--error-log-format'],
    type: 'choice',
    choices: ['text', 'json'],
    metavar: 'FORM',
    default: 'text',
    doc: `The form of entries in the error log: \`text\`, as in Gunicorn, or \`json\`.

With \`json\`, each entry is an object on a line of its own, with the members \`time\`, \`level\`, \`pid\`,
\`message\`, and \`traceback\` if there is one; entries about a request that has a trace have
\`trace_id\` and \`span_id\`.
A line that the application prints has \`stream\` instead of \`level\`.`,
  },
  {
    name: 'capture_output',
    section: 'Logging',
    flags: ['--capture-output'],
    type: 'choice',
    choices: ['auto', 'lines', 'raw'],
    switchedOn: 'auto',
    metavar: 'FORM',
    default: 'auto',
    doc: `The form of what the application prints: \`lines\` in the form of the error log's other
entries, or \`raw\`, exactly as it is printed.
Defaults to \`raw\` if there is a logging configuration (\`logconfig\`, \`logconfig_json\`,
\`logconfig_dict\`), and otherwise to \`lines\`.

\`raw\` is for applications that format their own output, for example as JSON.
The output goes to the error log's file.
Without such a file, the application's standard output and standard error become those of the
command.
\`--capture-output\` without a value, as in Gunicorn, changes nothing.`,
  },
  {
    name: 'log_level',
    section: 'Logging',
    flags: ['--log-level'],
    type: 'choice',
    choices: ['debug', 'info', 'warning', 'error', 'critical'],
    metavar: 'LEVEL',
    default: 'info',
    gunicornName: 'loglevel',
    doc: `The least important messages to log: \`debug\`, \`info\`, \`warning\`, \`error\` or
\`critical\`.
The application's own output is logged at every level.

Messages that a client can cause at will (refused requests, 503s) are limited: ten of a kind at
once, then one a second, with the number of omitted ones.
At \`debug\`, all of them are written.
The access log and the application's tracebacks are never limited.`,
  },
  {
    name: 'syslog',
    section: 'Logging',
    flags: ['--log-syslog'],
    type: 'boolean',
    default: false,
    doc: `Send both logs to syslog, in addition to their files.

The access log is sent even if it has no file.
What the application prints is not sent.
Messages are those of Gunicorn: \`gunicorn.PREFIX.error: [PID] TEXT\`, or \`access\` instead of
\`error\`.`,
  },
  {
    name: 'syslog_addr',
    section: 'Logging',
    flags: ['--log-syslog-to'],
    type: 'string',
    rule: 'syslog-address',
    metavar: 'ADDRESS',
    default: defaultSyslogAddress,
    doc: `Where the syslog daemon listens: \`udp://HOST:PORT\`, \`tcp://HOST:PORT\` or \`unix://PATH\`.
Defaults to \`udp://localhost:514\` on Linux.

\`unix:///dev/log\` works with either kind of socket; \`#dgram\` or \`#stream\` after the path
chooses one.
A unix socket for datagrams needs a Python, which runs a small helper process.`,
  },
  {
    name: 'syslog_prefix',
    section: 'Logging',
    flags: ['--log-syslog-prefix'],
    type: 'string',
    rule: 'one-line',
    metavar: 'TEXT',
    nullable: true,
    default: null,
    doc: `The program's name in syslog, which follows the word \`gunicorn\` and a dot.
Defaults to \`proc_name\`, or to the application's name with a dot instead of its colon.`,
  },
  {
    name: 'syslog_facility',
    section: 'Logging',
    flags: ['--log-syslog-facility'],
    type: 'choice',
    choices: Object.keys(syslogFacilities) as (keyof typeof syslogFacilities)[],
    metavar: 'NAME',
    default: 'user',
    doc: `The facility of messages to syslog, such as \`daemon\` or \`local0\`.`,
  },
  {
    name: 'disable_redirect_access_to_syslog',
    section: 'Logging',
    flags: ['--disable-redirect-access-to-syslog'],
    type: 'boolean',
    default: false,
    doc: `Send only the error log to syslog.`,
  },
  {
    name: 'logconfig',
    section: 'Logging',
    flags: ['--log-config'],
    type: 'path',
    metavar: 'FILE',
    nullable: true,
    default: null,
    doc: `The configuration of Python's \`logging\` as an INI file.
Each worker applies it before it loads the application.

It is for what the application logs, also through the loggers \`gunicorn.error\` and
\`gunicorn.access\`.
The server's own logs are written outside Python;
[the guide](../guides/logging.md#pythons-logging) says what is taken over from it.`,
  },
  {
    name: 'logconfig_json',
    section: 'Logging',
    flags: ['--log-config-json'],
    type: 'path',
    metavar: 'FILE',
    nullable: true,
    default: null,
    doc: `The same as \`logconfig\` as a JSON file, in the form of \`logging.config.dictConfig\`.`,
  },
  {
    name: 'logconfig_dict',
    section: 'Logging',
    flags: [],
    type: 'object',
    default: {},
    doc: `The same as \`logconfig\` as an object, in the form of \`logging.config.dictConfig\`.

If several of the three are set, \`logconfig_dict\` is used, then \`logconfig_json\`.
In a \`gunicorn.conf.py\` it may have Python's objects, such as classes and filters.`,
  },
] as const satisfies readonly SettingDefinition[]
