import { combinedFormat } from '../../logging/access-format.ts'
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

Lines are written together, at most a tenth of a second late.`,
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
| \`%({name}i)s\`, \`%({name}o)s\` | a request header, a response header |
| \`%({name}e)s\` | a variable of the environ that the server itself sets, such as \`server_port\` |
| \`%%\` | a percent sign |

Anything absent is \`-\`.
Quotes, backslashes, control characters and bytes beyond ASCII that a client sent are escaped as in
Apache.`,
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
line by line with the worker's process id.
Gunicorn's \`--capture-output\` is therefore not needed.`,
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
] as const satisfies readonly SettingDefinition[]
