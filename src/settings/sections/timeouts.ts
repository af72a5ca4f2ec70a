import type { SettingDefinition } from '../definition.ts'

/** How long we wait for whom. */
export const timeoutSettings = [
  {
    name: 'timeout',
    section: 'Time-outs',
    flags: ['-t', '--timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long the application may take over one request; then the client gets 504 and the worker is replaced. 0 means for ever.

The stacks of all its Python threads go to the error log before the worker is killed. Only the application's time counts:
reading the request from a slow client and sending the response to one do not. (In Gunicorn it is the time for which a worker may be silent.)

An application in TypeScript shares its process with the server and with other requests, and may wait as long as it likes. There it is the time
for which the process may be kept from anything else, by a loop without an end for example; then it is killed and replaced, and its clients get no answer. The middleware \`timeout\` limits single requests.`,
  },
  {
    name: 'load_timeout',
    section: 'Time-outs',
    flags: ['--load-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 120,
    doc: `How long the application may take to load, in each worker, before the attempt is given up. 0 disables the limit.

It counts from the start of the worker to the end of the import (and of the factory call), at the start of the server, at a reload, and when a worker is replaced.
After 10 s, or half of the limit where that is less, a warning in the error log says where the import stands: the Python stack with the application's frames.
The warning comes again after 20, 40, 80 … s, also where the limit is disabled.
At the limit the log says where the import stood, and the worker is killed. After a reload the old application serves on; a replacement is tried again;
at the start the command ends with status 3, as for any application that cannot be loaded.

The default is meant for large applications: a Django project with hundreds of modules imports in 5 to 30 s from a cold disk, and more slowly when all workers load at once on few cores or on the embedded Python.
An import that has taken two minutes usually waits for something that will not come.

An application in TypeScript is limited in the same way. A top-level \`await\` that never ends has no stack: the warning names the module file instead.`,
  },
  {
    name: 'graceful_timeout',
    section: 'Time-outs',
    flags: ['--graceful-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long requests that are running may take to finish when the server stops or a worker is replaced; what is left then is killed.`,
  },
  {
    name: 'keepalive',
    section: 'Time-outs',
    flags: ['--keep-alive'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 5,
    doc: `How long an idle connection is kept open for the client's next request; 0 closes after each response.

Gunicorn's default is 2, because there an idle connection occupies a place in a worker, or a proxy is expected in front. Here clients connect
directly and an idle connection costs little, so it outlasts the pauses within the loading of a page. Behind a load balancer
set it longer than the balancer keeps its own idle connections.`,
  },
  {
    name: 'header_timeout',
    section: 'Time-outs',
    flags: ['--header-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long a client may take from the first byte of a request to the end of its header fields; then it gets 408. 0 means for ever.

It is the whole time, not the pause between two bytes: a client that drips its header fields is cut off by it. A new connection on which
nothing arrives is closed after the same time.`,
  },
  {
    name: 'body_timeout',
    section: 'Time-outs',
    flags: ['--body-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long a request body may go without progress; then the client gets 408. 0 means for ever.

Progress is \`min_body_rate\` bytes for each of these seconds, or the end of the body: a large upload over a slow line takes as long as it needs (up to \`body_time_limit\`), a client that drips is cut off.`,
  },
  {
    name: 'body_time_limit',
    section: 'Time-outs',
    flags: ['--body-time-limit'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 21600,
    doc: `How long a client may take to send a whole request body; then it gets 408. 0 disables the limit.

The default, six hours, is for the largest uploads over slow lines. Lower it where bodies are small: it bounds how long a client that keeps to \`min_body_rate\` can hold a connection.
Time during which the application does not read a streamed body does not count.`,
  },
  {
    name: 'min_body_rate',
    section: 'Time-outs',
    flags: ['--min-body-rate'],
    type: 'integer',
    minimum: 0,
    metavar: 'BYTES',
    default: 240,
    doc: `The lowest rate of a request body, in bytes per second on average over each \`body_timeout\`. With 0, any byte within \`body_timeout\` will do.`,
  },
  {
    name: 'write_timeout',
    section: 'Time-outs',
    flags: ['--write-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long a client may take less than \`min_response_rate\` of a response that is waiting for it; then the connection is reset. 0 disables the timeout.

The system's buffers hide a slow reader's progress, so on Linux a client that seems to take too little gets a second period, in which the server counts what the client acknowledges: one that takes nothing at all is reset after twice the time.`,
  },
  {
    name: 'min_response_rate',
    section: 'Time-outs',
    flags: ['--min-response-rate'],
    type: 'integer',
    minimum: 0,
    metavar: 'BYTES',
    default: 240,
    doc: `The lowest rate at which a client must read a response that is waiting for it, in bytes per second on average over each \`write_timeout\`. With 0, any byte within \`write_timeout\` will do.

A response that the application itself produces slowly, such as an event stream, is not affected: nothing of it is waiting.`,
  },
] as const satisfies readonly SettingDefinition[]
