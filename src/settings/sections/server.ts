import type { SettingDefinition } from '../definition.ts'

/** Addresses, and the processes that handle HTTP. */
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
    doc: `The address to listen on: \`HOST:PORT\`, \`HOST\`, \`:PORT\`, \`[IPV6]:PORT\`,
\`unix:PATH\`, \`unix:@NAME\` or \`fd://NUMBER\`; repeatable.
With \`tls:\` in front, as in \`tls:0.0.0.0:443\`, its connections use TLS (see \`certfile\`).

The port defaults to 8000, and the host to every IPv4 address of the machine.
Port 0 takes any free port, which the start banner shows.
If the environment variable \`PORT\` is set and nothing else sets the address, it is
\`0.0.0.0:$PORT\`.
A socket file that a dead server left behind is replaced.
If a server still uses it, the command fails.
\`umask\`, \`socket_mode\` and \`socket_group\` decide which users may connect.

\`unix:@NAME\` is an abstract socket of Linux, which has no file.
Node.js 20 needs a Python to open one.
\`fd://NUMBER\` is a socket that the parent process has opened, for example circus or supervisor.
If systemd passes sockets (\`LISTEN_FDS\`), the server listens on these only, and on each
\`fd://NUMBER\`, as Gunicorn does.`,
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
    doc: `How many connections the kernel queues until the server accepts them, for each address.

The system may have a lower limit (\`net.core.somaxconn\` on Linux).
The acceptor takes connections at once, however busy the workers are, so this queue fills only if
the acceptor itself is overloaded.
For requests that wait for a worker, see \`backlog_limit\`.`,
  },
  {
    name: 'backlog_limit',
    section: 'Server',
    flags: ['--backlog-limit'],
    type: 'integer',
    minimum: 1,
    metavar: 'INT',
    default: 2048,
    doc: `How many complete requests may wait for a worker, in each acceptor.
Further ones are answered with 503 with \`Retry-After\`.

In Gunicorn, requests wait unseen in the kernel's queue of connections, and \`backlog\` (2048 as
well) limits them.
A shorter queue refuses sooner under overload; in a longer one, clients wait longer.`,
  },
  {
    name: 'max_connections',
    section: 'Server',
    flags: ['--max-connections'],
    type: 'integer',
    minimum: 1,
    metavar: 'INT',
    default: 20000,
    doc: `How many client connections each acceptor keeps open at a time.

When the limit is reached, idle connections make way for new ones, those that have been idle longest
first.
A connection is idle if it waits for its next request, or has sent nothing for half a second.
If none is idle, a new connection is answered with 503 and closed.

Each connection takes a file descriptor, and a fifth of the descriptors is kept for the files of
requests and responses.
If the limit of open files (\`ulimit -n\`, \`LimitNOFILE=\` of systemd) is too low for that, the
server lowers the number and logs a warning at start.
There is no warning if the default was lowered to no less than 10000.

Gunicorn's \`worker_connections\` is different: here, a connection does not occupy a worker, only
some memory and a file descriptor.`,
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
    doc: `How many processes handle HTTP.
The workers are distributed among them, at least one for each.

One acceptor handles tens of thousands of requests a second, which is more than most applications
can answer.
Use more if the acceptor's processor is the bottleneck.

The embedded Python (\`--runtime pyodide\`) always has one acceptor.
Its workers are threads of that process, and several processes would have to take turns at an SQLite
database.
If the embedded Python replaces a missing Python, more than one acceptor is an error.`,
  },
  {
    name: 'pidfile',
    section: 'Server',
    flags: ['-p', '--pid', '--pidfile'],
    type: 'path',
    metavar: 'FILE',
    nullable: true,
    default: null,
    doc: `A file that holds the process id of the arbiter while it runs.
Send signals to that process.

If the file names a running server, the command fails.
A file that was left behind is replaced: its process is gone, or the number now belongs to this
process (in a container), to a thread, or to another program that was started after the file was
written.`,
  },
  {
    name: 'reuse_port',
    section: 'Server',
    flags: ['--reuse-port'],
    type: 'boolean',
    default: false,
    doc: `Let several servers listen on the same port (\`SO_REUSEPORT\`).
The kernel distributes new connections among them.

All of them need this setting, and the same user.
The acceptors of one server share one socket, so a reload loses no connection.
If one of the servers stops, connections that it has not accepted yet are reset, unless the kernel
moves them to another one (\`net.ipv4.tcp_migrate_req\` of Linux).
To replace a server without that risk, use SIGUSR2.

Node.js can do this since 22.12; on an older one, Python binds the socket.`,
  },
  {
    name: 'daemon',
    section: 'Server',
    flags: ['-D', '--daemon'],
    type: 'boolean',
    default: false,
    doc: `Run in the background, without a terminal.

The command ends with status 0 as soon as the server serves.
If the server cannot start, the command shows the reason and ends with its exit status.
In Gunicorn, the command ends with 0 at once in every case.
The error log needs a file (\`error_logfile\`), because the daemon has no terminal.
A service manager, such as systemd, does not need this.`,
  },
  {
    name: 'enable_stdio_inheritance',
    section: 'Server',
    flags: ['-R', '--enable-stdio-inheritance'],
    type: 'boolean',
    default: false,
    doc: `Let a daemon keep its standard output and standard error if they are not a terminal, for
example if the shell writes them to a file.

Without \`daemon\` it has no effect: they are always inherited, and what the application prints goes
to the error log (see \`capture_output\`).`,
  },
  {
    name: 'proc_name',
    section: 'Server',
    flags: ['-n', '--name'],
    type: 'string',
    metavar: 'NAME',
    nullable: true,
    default: null,
    doc: `The name of the server in \`ps\`: \`monoceros: master [NAME]\`, and likewise for
acceptors and workers.
Defaults to the application.

The system has as much space for it as the command line was long.
Python workers show it if the package \`setproctitle\` is installed for the application.
Otherwise they keep their command line, and only the short name that \`top\` shows changes.`,
  },
  {
    name: 'default_proc_name',
    section: 'Server',
    flags: [],
    type: 'string',
    nullable: true,
    default: null,
    doc: `The name if \`proc_name\` is not set.`,
  },
] as const satisfies readonly SettingDefinition[]
