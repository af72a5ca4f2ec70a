import type { SettingDefinition } from '../definition.ts'

/** Sockets and processes that terminate HTTP. */
export const serverSettings = [
  {
    name: 'bind',
    section: 'Server',
    flags: ['-b', '--bind'],
    type: 'addresses',
    metavar: 'ADDRESS',
    default: ['127.0.0.1:8000'],
    env: 'PORT',
    envTemplate: '0.0.0.0:$',
    doc: `Where to listen: \`HOST:PORT\`, \`HOST\`, \`:PORT\`, \`[IPV6]:PORT\` or \`unix:PATH\`; may be given several times.

Without a port it is 8000; without a host, every IPv4 address of the machine. Port 0 takes any free port, which the start banner
names. When the environment variable \`PORT\` is set and nothing else says where to listen, it is \`0.0.0.0:$PORT\`.
A socket file left behind by a server that is gone is replaced; one that somebody still serves is refused.`,
  },
  {
    name: 'backlog',
    section: 'Server',
    flags: ['--backlog'],
    type: 'integer',
    minimum: 1,
    maximum: 65535,
    metavar: 'INT',
    default: 2048,
    doc: `How many connections the kernel keeps waiting for us to accept them, for each address.

The system may have a lower bound of its own (\`net.core.somaxconn\` on Linux). Because the acceptor takes connections at once,
however busy the workers are, this fills only when the acceptor itself is overwhelmed; see \`backlog_limit\` for waiting requests.`,
  },
  {
    name: 'backlog_limit',
    section: 'Server',
    flags: ['--backlog-limit'],
    type: 'integer',
    minimum: 1,
    metavar: 'INT',
    default: 2048,
    doc: `How many whole requests may wait for a worker, in each acceptor, before further ones are answered 503 with \`Retry-After\`.

Gunicorn has no such limit: there the requests wait unseen in the kernel's queue of connections, and the same number (2048, its \`backlog\`)
bounds them. A shorter queue refuses sooner under overload; a longer one lets clients wait for longer.`,
  },
  {
    name: 'max_connections',
    section: 'Server',
    flags: ['--max-connections'],
    type: 'integer',
    minimum: 1,
    metavar: 'INT',
    default: 20000,
    doc: `How many client connections each acceptor holds open at a time.

When there are that many, idle ones make room for new ones, longest idle first: connections that wait for their next request, and those that
have sent nothing for half a second. Where none is idle, a new connection is answered 503 and closed.

Each connection takes a file descriptor. Where the limit of open files (\`ulimit -n\`, \`LimitNOFILE=\` of systemd) does not allow for so many, and for
the files that requests and responses need (a fifth is kept for these), the number is lowered, with a warning at start (not where it stays above 10000 and nobody asked for more than the default).

This is not Gunicorn's \`worker_connections\`: a connection costs no worker here, only some memory and a file descriptor.`,
  },
  {
    name: 'acceptors',
    section: 'Server',
    flags: ['--acceptors'],
    type: 'integer',
    minimum: 1,
    maximum: 256,
    metavar: 'INT',
    default: 1,
    doc: `How many processes terminate HTTP; the workers are shared out among them, at least one each.

One serves tens of thousands of requests a second, which is more than most applications can answer. Give more when an
acceptor's processor is the busy one.

The embedded Python (\`--runtime pyodide\`) has one acceptor, whatever this says: its workers are threads of that process,
and several processes would take turns at an SQLite database. Where it would take the place of a missing Python, more than one acceptor is refused.`,
  },
  {
    name: 'pidfile',
    section: 'Server',
    flags: ['-p', '--pid', '--pidfile'],
    type: 'path',
    metavar: 'FILE',
    nullable: true,
    default: null,
    doc: `A file that holds the process id of the arbiter while it runs; signals go to that process.

A file that names a running server is refused. One that was left behind is replaced: its process is gone, or its number is that of this process (in a container), of a
thread, or of another program that was started after the file was written.`,
  },
] as const satisfies readonly SettingDefinition[]
