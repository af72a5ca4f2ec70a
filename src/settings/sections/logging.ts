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
    doc: `Where to log requests: a file, or \`-\` for standard output; no access log when not set.

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
    doc: `The form of a line of the access log; the default is Apache's combined form.

| atom | stands for |
|---|---|
| \`%(h)s\` | client address |
| \`%(l)s\` | \`-\` |
| \`%(u)s\` | user name of HTTP Basic authentication, or \`-\` |
| \`%(t)s\` | time at which the request began: \`[23/Nov/2026:00:08:11 +0000]\` |
| \`%(r)s\` | request line |
| \`%(m)s\`, \`%(U)s\`, \`%(q)s\`, \`%(H)s\` | method, path, query string, protocol |
| \`%(s)s\` | status |
| \`%(b)s\`, \`%(B)s\` | bytes of body sent; for none \`-\` and \`0\` |
| \`%(f)s\`, \`%(a)s\` | \`Referer\` and \`User-Agent\` of the request |
| \`%(T)s\`, \`%(M)s\`, \`%(D)s\`, \`%(L)s\` | duration: whole seconds, milliseconds, microseconds, seconds with six decimals |
| \`%(p)s\` | process id of the acceptor, in angle brackets |
| \`%({name}i)s\`, \`%({name}o)s\` | a request header, a response header |
| \`%({name}e)s\` | a variable of the environ that the server itself sets, such as \`server_port\` |
| \`%%\` | a percent sign |

Anything absent is \`-\`. Quotes, backslashes, control characters and bytes beyond ASCII in what a client sent are escaped as Apache does.`,
  },
  {
    name: 'error_logfile',
    section: 'Logging',
    flags: ['--error-logfile', '--log-file'],
    type: 'path',
    metavar: 'FILE',
    default: '-',
    gunicornName: 'errorlog',
    doc: `Where to log everything else: a file, or \`-\` for standard error.

What the application prints (standard output, standard error, \`wsgi.errors\`) is always a part of it, line by line with the worker's process id, so Gunicorn's \`--capture-output\` is not needed.`,
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
    doc: `The least important messages to log: \`debug\`, \`info\`, \`warning\`, \`error\` or \`critical\`. What the application prints is logged at every level.

Entries that a client can cause at will (refused requests, 503s) are limited: ten of a kind at once, then one a second, and a count of those that were left out.
At \`debug\` all of them are written. The access log and the application's tracebacks are never limited.`,
  },
] as const satisfies readonly SettingDefinition[]
