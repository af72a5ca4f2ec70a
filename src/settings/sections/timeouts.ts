import type { SettingDefinition } from '../definition.ts'

/** Timeouts, and the rates below which a client is too slow. */
export const timeoutSettings = [
  {
    name: 'timeout',
    section: 'Timeouts',
    flags: ['-t', '--timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long the application may take for one request; then the client gets 504 and the worker
is replaced.
0 disables the timeout.

Before the worker is killed, the error log shows the stacks of all its Python threads.
Only the application's time counts, not the time for reading the request from a slow client or for
sending the response to one.
(In Gunicorn, it is the time for which a worker may be silent.)

A TypeScript application shares its process with the server and with other requests, and may wait as
long as it likes.
There, it is the time for which the application may block the event loop, for example in an endless
loop; then the process is killed and replaced, and its clients get no answer.
Use the middleware \`timeout\` to limit single requests.`,
  },
  {
    name: 'slow_request',
    section: 'Timeouts',
    flags: ['--slow-request'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 0,
    doc: `Logs the stack of each request that has run for this long, once, while it goes on.
0, the default, logs none.

The warning in the error log has the request line and the application's Python stack, with threads,
greenlets and the embedded Python too.
Only the time in the application counts; one that waits for its client is not logged.
Times are looked at every tenth of a second.
Of many requests at once, ten stacks are logged in five seconds, and the others are counted.

For a TypeScript application, it is the stack of whatever has blocked the event loop for that long.`,
  },
  {
    name: 'load_timeout',
    section: 'Timeouts',
    flags: ['--load-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 120,
    doc: `How long the application may take to load, in each worker.
0 disables the limit.

The time runs from the start of the worker to the end of the import (and of the factory call), when
the server starts, reloads, or replaces a worker.
After 10 s, or half of the limit if that is less, a warning in the error log shows where the import
is: the Python stack with the application's frames.
The warning is repeated after 20, 40, 80 … s, even if the limit is disabled.
At the limit, the log shows where the import was, and the worker is killed.
After a reload, the old application stays in use; a replacement is tried again.
At the start, the command ends with status 3, as for any application that cannot be loaded.

The default is made for large applications.
A Django project with hundreds of modules imports in 5 to 30 s from a cold disk.
It takes longer if all workers load at once on few cores, or on the embedded Python.
An import that has taken two minutes usually waits for something that will never happen.

A TypeScript application has the same limit.
A top-level \`await\` that never ends has no stack, so the warning names the module file instead.`,
  },
  {
    name: 'graceful_timeout',
    section: 'Timeouts',
    flags: ['--graceful-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long requests in progress may take to finish when the server stops or a worker is
replaced.
After that, they are ended by force.`,
  },
  {
    name: 'drain_delay',
    section: 'Timeouts',
    flags: ['--drain-delay'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 0,
    doc: `How long the server goes on as before when it has been told to stop gracefully (TERM) or to
drain (WINCH), but says that it is not ready (\`/readyz\` of \`metrics_bind\`, and \`health_path\`).
Then it stops, as without a delay.

It is for load balancers that find out by asking: choose a little more than the time after which
they send nothing more.
A second signal ends the delay.
There is none if another server accepts from the same sockets (an upgrade).
Whoever stops the server must wait for this time and \`graceful_timeout\`.`,
  },
  {
    name: 'keepalive',
    section: 'Timeouts',
    flags: ['--keep-alive'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 5,
    doc: `How long an idle connection stays open for the client's next request.
0 closes it after each response.

Gunicorn's default is 2, because an idle connection occupies a place in a worker there, or a proxy
is expected in front.
Here, clients connect directly and an idle connection costs little, so it outlasts the pauses while
a page loads.
Behind a load balancer, set it longer than the balancer keeps its own idle connections.`,
  },
  {
    name: 'header_timeout',
    section: 'Timeouts',
    flags: ['--header-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long a client may take from the first byte of a request to the end of its header
fields; then it gets 408.
0 disables the timeout.

It limits the whole time, not the pause between two bytes, so it also cuts off a client that drips
its header fields.
A new connection that sends nothing is closed after the same time.`,
  },
  {
    name: 'body_timeout',
    section: 'Timeouts',
    flags: ['--body-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long a request body may go without progress; then the client gets 408.
0 disables the timeout.

Progress means \`min_body_rate\` bytes for each of these seconds, or the end of the body.
A large upload over a slow line takes as long as it needs (up to \`body_time_limit\`); a client that
drips is cut off.`,
  },
  {
    name: 'body_time_limit',
    section: 'Timeouts',
    flags: ['--body-time-limit'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 21600,
    doc: `How long a client may take to send a whole request body; then it gets 408.
0 disables the limit.

The default of six hours allows for the largest uploads over slow lines.
Lower it if bodies are small: it limits how long a client that keeps to \`min_body_rate\` can hold a
connection.
Time in which the application does not read a streamed body does not count.`,
  },
  {
    name: 'min_body_rate',
    section: 'Timeouts',
    flags: ['--min-body-rate'],
    type: 'integer',
    minimum: 0,
    metavar: 'BYTES',
    default: 240,
    doc: `The minimum rate of a request body, in bytes per second on average over each
\`body_timeout\`.
With 0, a single byte within \`body_timeout\` is enough.`,
  },
  {
    name: 'write_timeout',
    section: 'Timeouts',
    flags: ['--write-timeout'],
    type: 'seconds',
    minimum: 0,
    metavar: 'SECONDS',
    default: 30,
    doc: `How long a client may stay below \`min_response_rate\` while a response waits for it; then
the connection is reset.
0 disables the timeout.

The system's buffers hide the progress of a slow reader.
On Linux, a client that seems to take too little therefore gets a second period, in which the server
counts what the client acknowledges.
One that takes nothing at all is reset after twice the time.`,
  },
  {
    name: 'min_response_rate',
    section: 'Timeouts',
    flags: ['--min-response-rate'],
    type: 'integer',
    minimum: 0,
    metavar: 'BYTES',
    default: 240,
    doc: `The minimum rate at which a client must read a response that waits for it, in bytes per
second on average over each \`write_timeout\`.
With 0, a single byte within \`write_timeout\` is enough.

A response that the application itself produces slowly, such as an event stream, is not affected,
because nothing of it waits.`,
  },
] as const satisfies readonly SettingDefinition[]
