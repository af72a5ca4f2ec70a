/**
 * The servers that are compared, and how each is started: its own defaults, except the address,
 * the number of workers, and what would otherwise refuse the 512 connections of a workload or make
 * the comparison one of timeouts. Access logs are off everywhere.
 *
 * @typedef {object} Start
 * @property {string} bin The virtual environment's folder of commands.
 * @property {string} app MODULE:NAME.
 * @property {number} port A free port of 127.0.0.1.
 * @property {number} workers
 *
 * @typedef {object} Server
 * @property {string} name What --servers and the tables call it.
 * @property {string[]} packages What it needs from the package index.
 * @property {string} [needs] What building those packages needs, for the message when it fails.
 * @property {(start: Start) => string[]} command
 * @property {(workers: number) => string} shape Its processes and threads, for the report.
 * @property {string} [library] The npm package whose version counts, or `node:http`.
 * @property {string} [peer] The server with the same kind of workers, to be compared with.
 * @property {string} [scheme] `https`, or `http` by default.
 * @property {boolean} [http2] It is driven over HTTP/2.
 * @property {boolean} [node] It serves the plain application of bench/apps in JavaScript, in one
 * process, and no other.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const OURS = 'monoceros'
/** The same command with the Python application mounted in JavaScript. */
const OURS_MOUNTED = 'monoceros-mounted'
/** The same command with the embedded Python. */
export const OURS_EMBEDDED = 'monoceros-embedded'
/** The same command with an application in JavaScript. */
export const OURS_IN_NODE = 'monoceros-ts'
export const APPS = fileURLToPath(new URL('apps/', import.meta.url))
export const OUR_COMMAND = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

const GTHREAD_THREADS = 4
const WAITRESS_THREADS = 4

export const SERVERS = /** @type {Server[]} */ ([
  {
    name: OURS,
    packages: [],
    command: (start) => monoceros(start),
    shape: (workers) => `1 acceptor, ${workers} workers`,
  },
  {
    name: 'monoceros-gthread',
    peer: 'gunicorn-gthread',
    packages: [],
    command: (start) => monoceros(start, '-k', 'gthread', '--threads', `${GTHREAD_THREADS}`),
    shape: (workers) => `1 acceptor, ${workers} workers of ${GTHREAD_THREADS} threads`,
  },
  {
    name: 'monoceros-gevent',
    peer: 'gunicorn-gevent',
    packages: ['gevent'],
    command: (start) => monoceros(start, '-k', 'gevent'),
    shape: (workers) => `1 acceptor, ${workers} workers`,
  },
  {
    name: `${OURS}-preload`,
    peer: 'gunicorn-preload',
    packages: [],
    command: (start) => monoceros(start, '--preload'),
    shape: (workers) => `1 acceptor, ${workers} workers forked from one process`,
  },
  {
    name: `${OURS}-cache`,
    packages: [],
    command: (start) => monoceros(start, '--cache', '16M'),
    shape: (workers) => `1 acceptor with a cache, ${workers} workers`,
  },
  {
    name: OURS_EMBEDDED,
    packages: [],
    command: ({ bin, app, port, workers }) => [
      process.execPath,
      OUR_COMMAND,
      ...['--bind', `127.0.0.1:${port}`, '--workers', `${workers}`, '--runtime', 'pyodide'],
      ...[
        '--pythonpath',
        sitePackages(bin),
        '--inherit-env',
        '--chdir',
        APPS,
        '--log-level',
        'warning',
      ],
      app,
    ],
    shape: (workers) => `one process, ${workers} threads with CPython 3.14 as WebAssembly`,
  },
  {
    name: OURS_MOUNTED,
    packages: [],
    command: ({ bin, app, port, workers }) => [
      process.execPath,
      OUR_COMMAND,
      ...['--bind', `127.0.0.1:${port}`, '--chdir', APPS, '--log-level', 'warning'],
      `./mounted.mjs:create(${JSON.stringify(app)}, ` +
        `${JSON.stringify(join(bin, 'python3'))}, ${workers})`,
    ],
    shape: (workers) =>
      `one process with ${workers} workers: pythonApp() under a dispatcher, requestId and ` +
      'errorHandler',
  },
  {
    name: 'gunicorn-sync',
    packages: ['gunicorn'],
    command: (start) => gunicorn(start, '--worker-class', 'sync'),
    shape: (workers) => `${workers} workers; closes the connection after each response`,
  },
  {
    name: 'gunicorn-preload',
    packages: ['gunicorn'],
    command: (start) => gunicorn(start, '--worker-class', 'sync', '--preload'),
    shape: (workers) => `gunicorn-sync with --preload: ${workers} workers forked after the import`,
  },
  {
    name: 'gunicorn-gthread',
    packages: ['gunicorn'],
    command: (start) =>
      gunicorn(start, '--worker-class', 'gthread', '--threads', `${GTHREAD_THREADS}`),
    shape: (workers) => `${workers} workers of ${GTHREAD_THREADS} threads`,
  },
  {
    name: 'gunicorn-gevent',
    // Its gevent worker imports packaging, which only the extra gunicorn[gevent] would bring.
    packages: ['gunicorn', 'gevent', 'packaging'],
    command: (start) => gunicorn(start, '--worker-class', 'gevent'),
    shape: (workers) => `${workers} workers`,
  },
  {
    name: 'uwsgi',
    packages: ['uWSGI'],
    needs: 'a C compiler',
    command: (start) => uwsgi(start, '--listen', `${Math.min(1024, kernelBacklog())}`),
    shape: (workers) => `its http router with keep-alive, ${workers} workers`,
  },
  {
    name: 'waitress',
    packages: ['waitress'],
    command: ({ bin, app, port }) => [
      join(bin, 'waitress-serve'),
      ...[
        `--listen=127.0.0.1:${port}`,
        `--threads=${WAITRESS_THREADS}`,
        '--connection-limit=1000',
        app,
      ],
    ],
    shape: () => `one process of ${WAITRESS_THREADS} threads, as it has no worker processes`,
  },
  {
    name: 'granian',
    packages: ['granian'],
    command: ({ bin, app, port, workers }) => [
      join(bin, 'granian'),
      ...[
        '--interface',
        'wsgi',
        '--host',
        '127.0.0.1',
        '--port',
        `${port}`,
        '--workers',
        `${workers}`,
      ],
      ...['--blocking-threads', '1', '--log-level', 'warning', app],
    ],
    shape: (workers) => `${workers} workers of one blocking thread`,
  },
  {
    name: 'bjoern',
    packages: ['bjoern'],
    needs: 'a C compiler and libev (Debian: libev-dev)',
    command: ({ bin, app, port, workers }) => [
      join(bin, 'python3'),
      ...[join(APPS, 'serve_bjoern.py'), app, `${port}`, `${workers}`],
    ],
    shape: (workers) => `${workers} processes on one socket`,
  },
  {
    name: 'fastpysgi',
    packages: ['fastpysgi'],
    needs: 'a C compiler',
    command: ({ bin, app, port, workers }) => [
      join(bin, 'python3'),
      ...[join(APPS, 'serve_fastpysgi.py'), app, `${port}`, `${workers}`],
    ],
    shape: (workers) => `${workers} processes, each with a socket of its own`,
  },
  {
    name: OURS_IN_NODE,
    packages: [],
    node: true,
    command: ({ port }) => [
      process.execPath,
      OUR_COMMAND,
      ...[
        '--bind',
        `127.0.0.1:${port}`,
        '--chdir',
        APPS,
        '--log-level',
        'warning',
        './plain.mjs:application',
      ],
    ],
    shape: () => 'one process (and its arbiter); the application in JavaScript',
  },
  nodeServer('node', 'node-http', 'node:http'),
  nodeServer('fastify', 'fastify', 'fastify'),
  nodeServer('express', 'express', 'express'),
])

/**
 * @param {string} kind Of bench/apps/serve_node.mjs. @param {string} name @param {string} library
 * @returns {Server}
 */
function nodeServer(kind, name, library) {
  return {
    name,
    library,
    packages: [],
    node: true,
    command: ({ port }) => [process.execPath, join(APPS, 'serve_node.mjs'), kind, `${port}`],
    shape: () => 'one process; no WSGI',
  }
}

/** Those of static-files.mjs, which serve nothing else. */
const FILE_SERVERS = ['monoceros-static', 'nginx']

/**
 * Whether a server can do what a workload asks for.
 *
 * @param {Server} server
 * @param {import('./workloads.mjs').Workload} workload
 */
export function serves({ name, node }, { app, python }) {
  const isOfFiles = FILE_SERVERS.includes(name)
  if (isOfFiles || app === 'files') return isOfFiles && app === 'files'
  return !node || (app === 'plain:application' && !python)
}

/** The server of Monoceros that a server is compared with. @param {string} name */
export function oursBeside(name) {
  if (FILE_SERVERS.includes(name)) return FILE_SERVERS[0]
  const node = SERVERS.find((server) => server.name === name)?.node
  return node ? OURS_IN_NODE : OURS
}

/**
 * @param {string} bin @returns {string} The folder of packages of that virtual environment; those
 * in pure Python work on any.
 */
function sitePackages(bin) {
  const lib = join(bin, '..', 'lib')
  const version = readdirSync(lib).find((name) => name.startsWith('python3'))
  return join(lib, version ?? '', 'site-packages')
}

/** @param {Start} start @param {string[]} more Further options. @returns {string[]} */
export function monoceros({ bin, app, port, workers }, ...more) {
  return [
    process.execPath,
    OUR_COMMAND,
    ...['--bind', `127.0.0.1:${port}`, '--workers', `${workers}`],
    ...['--python', join(bin, 'python3'), '--chdir', APPS, '--log-level', 'warning'],
    ...more,
    app,
  ]
}

/** @param {Start} start @param {string[]} more Further options. @returns {string[]} */
export function uwsgi({ bin, app, port, workers }, ...more) {
  return [
    join(bin, 'uwsgi'),
    ...['--http', `127.0.0.1:${port}`, '--http-keepalive', '--master', '--processes', `${workers}`],
    ...['--virtualenv', join(bin, '..'), '--pythonpath', APPS, '--module', app, '--need-app'],
    // With its default of 4 KB, the router's later pieces of a response wait for the client's
    // delayed acknowledgement: 10 KB at 8 kept connections are 180 requests/s, and 4,900 with this.
    // (With 64 KB it resets uploads above that size.)
    ...['--http-buffer-size', '32768'],
    ...['--disable-logging', '--die-on-term'],
    ...more,
  ]
}

/** @param {Start} start @param {string[]} more Further options. @returns {string[]} */
export function gunicorn({ bin, app, port, workers }, ...more) {
  return [
    join(bin, 'gunicorn'),
    ...['--bind', `127.0.0.1:${port}`, '--workers', `${workers}`, '--log-level', 'warning'],
    // Several run beside each other, and would share one path for it.
    '--no-control-socket',
    ...more,
    app,
  ]
}

/**
 * The longest queue of connections that the kernel allows; uWSGI refuses to start with a longer
 * one.
 */
export function kernelBacklog() {
  try {
    return Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'))
  } catch {
    return 128
  }
}
