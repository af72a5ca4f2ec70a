import type { SettingDefinition } from '../definition.ts'

/** The workers, which run the application. */
export const workerSettings = [
  {
    name: 'workers',
    section: 'Workers',
    flags: ['-w', '--workers'],
    type: 'integer',
    minimum: 1,
    maximum: 4096,
    metavar: 'INT',
    default: 1,
    env: 'WEB_CONCURRENCY',
    doc: `How many workers run the application.

For an application that computes, start with one for each processor core; use more if it waits for
databases and other servers.
Slow clients need no extra workers, because a worker never waits for a client.
The environment variable \`WEB_CONCURRENCY\` replaces the default.`,
  },
  {
    name: 'worker_class',
    section: 'Workers',
    flags: ['-k', '--worker-class'],
    type: 'string',
    choices: ['sync', 'gthread', 'gevent'],
    rule: 'worker-class',
    metavar: 'CLASS',
    default: 'sync',
    doc: `How a worker runs its requests: \`sync\` and \`gthread\` in threads, \`gevent\` in greenlets.

\`sync\` and \`gthread\` are the same here: \`threads\` is how many requests each worker runs at the
same time.

\`gevent\` runs up to \`worker_connections\` requests in each worker, in greenlets.
It calls \`gevent.monkey.patch_all()\` before the application is imported.
Use it for an application that mostly waits for others and does so in Python: sockets, sleeps,
queues.
A greenlet that computes keeps all others of its worker waiting, and so does an extension that waits
in C, such as a database driver that gevent does not know.
gevent must be installed where the application is; it runs on the system's Python only.

Gunicorn's other names for these are accepted too, such as
\`gunicorn.workers.ggevent.GeventWorker\`.`,
  },
  {
    name: 'threads',
    section: 'Workers',
    flags: ['--threads'],
    type: 'integer',
    minimum: 1,
    maximum: 1024,
    metavar: 'INT',
    default: 1,
    doc: `How many requests each worker runs at the same time, in threads.

With more than 1, the application must be thread-safe, and \`wsgi.multithread\` is true.`,
  },
  {
    name: 'preload_app',
    section: 'Workers',
    flags: ['--preload'],
    type: 'boolean',
    default: false,
    doc: `Load the application once, in a process of its own, and fork the workers from it.

The workers share the memory of what was loaded, as long as they do not change it, and a new worker
serves within milliseconds.
A reload loads the application in a new process.

The application must be safe to fork: see [the guide](../guides/deploy.md#preloading).
With several acceptors, each loads the application for its own workers.`,
  },
  {
    name: 'lend_sockets',
    section: 'Workers',
    flags: ['--lend-sockets'],
    offFlag: '--no-lend-sockets',
    type: 'boolean',
    default: true,
    doc: `Whether a worker gets a client's socket for the milliseconds in which it sends a large
response.

It is a list of at least 128 KiB, or a file in \`wsgi.file_wrapper\`, over plain HTTP/1.1.
It takes less than half of the processor time that way.
\`--no-lend-sockets\` keeps clients' sockets from code that you do not trust: it could read from them
and write to them.`,
  },
  {
    name: 'worker_connections',
    section: 'Workers',
    flags: ['--worker-connections'],
    type: 'integer',
    minimum: 1,
    maximum: 65535,
    metavar: 'INT',
    default: 1000,
    doc: `How many requests each worker with \`gevent\` runs at the same time.

More wait in the queue (\`backlog_limit\`).
Each that waits takes some 12 KiB of memory beside what the application needs for it.
Open connections without a request do not count; \`max_connections\` limits these.`,
  },
  {
    name: 'worker_memory',
    section: 'Workers',
    flags: ['--worker-memory'],
    type: 'bytes',
    minimum: 33554432,
    maximum: 4294967296,
    nullable: true,
    metavar: 'SIZE',
    default: null,
    doc: `How much memory each interpreter of the embedded Python may use, such as \`256M\`.
Beyond that, Python raises MemoryError.

A worker that has no memory left after that is replaced, the new one first.
An interpreter starts with about 32 MiB; Node.js itself needs some 60 MiB for each worker.`,
  },
  {
    name: 'max_requests',
    section: 'Workers',
    flags: ['--max-requests'],
    type: 'integer',
    minimum: 0,
    metavar: 'INT',
    default: 0,
    doc: `Replace a worker after this many requests.
0 means never.

This is a simple remedy for an application that leaks memory.
The new worker is ready before the old one leaves, so clients do not notice.`,
  },
  {
    name: 'max_requests_jitter',
    section: 'Workers',
    flags: ['--max-requests-jitter'],
    type: 'integer',
    minimum: 0,
    metavar: 'INT',
    default: 0,
    doc: `Add a random number from 0 to this to each worker's \`max_requests\`, so that workers are
not all replaced at once.`,
  },
  {
    name: 'max_worker_memory',
    section: 'Workers',
    flags: ['--max-worker-memory'],
    type: 'bytes',
    minimum: 0,
    metavar: 'SIZE',
    default: 0,
    doc: `Replace a worker that uses more memory than this, such as \`400M\`.
0 means never.

It is the resident memory of the process (RSS), which is looked at every two seconds.
With \`preload_app\`, only what a worker has for itself counts, because its end would not free what
it shares; this is known on Linux only.
The new worker is ready before the old one leaves, and only one worker is replaced at a time.
A worker is not replaced for this in its first five seconds, nor before its first request.`,
  },
  {
    name: 'max_worker_memory_jitter',
    section: 'Workers',
    flags: ['--max-worker-memory-jitter'],
    type: 'bytes',
    minimum: 0,
    metavar: 'SIZE',
    default: 0,
    doc: `Add a random size from 0 to this to each worker's \`max_worker_memory\`.`,
  },
  {
    name: 'max_worker_lifetime',
    section: 'Workers',
    flags: ['--max-worker-lifetime'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 0,
    doc: `Replace a worker that has served for this long.
0 means never.

The new worker is ready before the old one leaves, and only one worker is replaced at a time.`,
  },
  {
    name: 'max_worker_lifetime_jitter',
    section: 'Workers',
    flags: ['--max-worker-lifetime-jitter'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 0,
    doc: `Add a random time from 0 to this to each worker's \`max_worker_lifetime\`.`,
  },
] as const satisfies readonly SettingDefinition[]
