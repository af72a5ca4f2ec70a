/**
 * Static files: our server and nginx, each with one process that serves, over the same folder.
 *
 *     npm run bench -- --workloads static-10k,static-1m --concurrency 64
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { APPS, OUR_COMMAND } from './servers.mjs'

/** The application of these workloads: none. The servers below serve it, and no others. */
export const FILES = 'files'

/** @type {import('./workloads.mjs').Workload[]} */
export const STATIC_WORKLOADS = [
  { name: 'static-10k', title: 'Static file, 10 KB', size: 10_240 },
  { name: 'static-1m', title: 'Static file, 1 MB', size: 1_048_576 },
].map(({ name, title, size }) => ({
  name,
  title,
  app: FILES,
  path: `/${size}.bin`,
  method: 'GET',
  bodySize: 0,
  answers: (body) => body.length === size,
}))

/** @type {import('./servers.mjs').Server[]} */
export const STATIC_SERVERS = [
  {
    name: 'monoceros-static',
    packages: [],
    command: ({ bin, port }) => [
      process.execPath,
      OUR_COMMAND,
      ...['--bind', `127.0.0.1:${port}`, '--workers', '1', '--python', join(bin, 'python3')],
      ...['--static', `/=${join(folder(), 'files')}`, '--chdir', APPS, '--log-level', 'warning'],
      'plain:application',
    ],
    shape: () => '1 acceptor with --static (and a worker that is not asked)',
  },
  {
    name: 'nginx',
    packages: [],
    command: ({ port }) => [
      'nginx',
      ...['-p', folder(), '-e', join(folder(), 'error.log'), '-c', configuration(port)],
    ],
    shape: () => '1 worker, with sendfile and open_file_cache',
  },
]

let made = ''

/** The folder with the files, which lasts as long as the benchmark. */
function folder() {
  if (made !== '') return made
  made = mkdtempSync(join(tmpdir(), 'monoceros-bench-static-'))
  process.on('exit', () => rmSync(made, { recursive: true, force: true }))
  // nginx' worker is another user if this one is root.
  chmodSync(made, 0o755)
  mkdirSync(join(made, 'files'))
  for (const size of [10_240, 1_048_576]) {
    const path = join(made, 'files', `${size}.bin`)
    writeFileSync(path, 'x'.repeat(size))
    // A file that was written just now is not kept in memory.
    utimesSync(path, 1e9, 1e9)
  }
  return made
}

/** @param {number} port @returns {string} The path of nginx' configuration. */
function configuration(port) {
  const path = join(folder(), `nginx-${port}.conf`)
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const temporary = kinds.map((kind) => `${kind}_temp_path ${join(folder(), kind)};`).join(' ')
  writeFileSync(
    path,
    `daemon off; worker_processes 1; pid ${path}.pid;
events { worker_connections 2048; }
http {
  access_log off; sendfile on; tcp_nopush on; open_file_cache max=100; ${temporary}
  server { listen 127.0.0.1:${port} backlog=1024; root ${join(folder(), 'files')}; }
}
`,
  )
  return path
}
