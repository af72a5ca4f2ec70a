/**
 * The servers that are compared over HTTPS (`--tls`), all with the same certificate on the curve
 * P-256: `servers.mjs` describes what is in an entry.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { APPS, gunicorn, monoceros, OURS, uwsgi } from './servers.mjs'

const THREADS = 4
/** Those that are compared over HTTPS, and those of them that speak HTTP/2. */
export const TLS_NAMES = {
  tls: [OURS, 'granian', 'uwsgi', 'gunicorn-gthread', 'nginx-gunicorn'],
  h2: [OURS, 'granian', 'nginx-gunicorn'],
}

/** Makes a certificate for 127.0.0.1. @param {string} directory Where to. */
export function makeCertificate(directory) {
  const files = { cert: join(directory, 'cert.pem'), key: join(directory, 'key.pem') }
  const { status, stderr } = spawnSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-days', '90', '-keyout', files.key, '-out', files.cert, '-subj', '/CN=localhost'],
    ],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`openssl could not make a certificate: ${stderr}`)
  return files
}

/**
 * Those that speak HTTP/2, as they are over HTTPS.
 *
 * @param {{cert: string, key: string}} files The certificate and its key.
 * @param {string} directory For the configuration of nginx.
 */
export function http2Servers(files, directory) {
  return tlsServers(files, directory, true)
    .filter(({ name }) => TLS_NAMES.h2.includes(name))
    .map((server) => ({ ...server, http2: true }))
}

/**
 * @param {{cert: string, key: string}} files The certificate and its key.
 * @param {string} directory For the configuration of nginx.
 * @param {boolean} http2 Whether HTTP/2 is on where that has to be said.
 * @returns {import('./servers.mjs').Server[]}
 */
export function tlsServers({ cert, key }, directory, http2 = false) {
  const pair = ['--certfile', cert, '--keyfile', key]
  return [
    {
      name: OURS,
      packages: [],
      command: (start) => monoceros(start, ...pair),
      shape: (workers) => `1 acceptor, ${workers} workers`,
    },
    {
      name: 'granian',
      packages: ['granian'],
      command: ({ bin, app, port, workers }) => [
        join(bin, 'granian'),
        ...['--interface', 'wsgi', '--host', '127.0.0.1', '--port', `${port}`],
        ...['--workers', `${workers}`, '--no-access-log', '--log-level', 'warning'],
        ...['--ssl-certificate', cert, '--ssl-keyfile', key, '--http', http2 ? 'auto' : '1'],
        ...['--working-dir', APPS, app],
      ],
      shape: (workers) => `${workers} workers`,
    },
    {
      name: 'uwsgi',
      packages: ['uWSGI'],
      needs: "a C compiler, Python's headers and those of OpenSSL",
      command: (start) =>
        uwsgi(start).map((argument, index, all) => {
          if (argument === '--http') return '--https'
          return all[index - 1] === '--http' ? `${argument},${cert},${key}` : argument
        }),
      shape: (workers) => `an HTTPS router and ${workers} workers`,
    },
    {
      name: 'gunicorn-gthread',
      packages: ['gunicorn'],
      command: (start) =>
        gunicorn(start, '--worker-class', 'gthread', '--threads', `${THREADS}`, ...pair),
      shape: (workers) => `${workers} workers of ${THREADS} threads`,
    },
    {
      name: 'nginx-gunicorn',
      packages: ['gunicorn'],
      command: (start) => {
        const socket = join(directory, 'gunicorn.sock')
        const [program, ...args] = gunicorn(
          start,
          ...['--worker-class', 'gthread', '--threads', `${THREADS}`],
          ...['--bind', `unix:${socket}`],
        )
        const { port } = start
        // Gunicorn listens at the address of nginx too, unless that --bind is left out.
        const address = args.indexOf(`127.0.0.1:${port}`)
        args.splice(address - 1, 2)
        const conf = join(directory, 'nginx.conf')
        writeFileSync(conf, nginxConfiguration({ directory, port, socket, cert, key, http2 }))
        const quoted = [program, ...args].map((word) => `'${word}'`).join(' ')
        return ['sh', '-c', `${quoted} & exec nginx -p '${directory}' -c '${conf}'`]
      },
      shape: (workers) =>
        `nginx with one worker, kept connections to ${workers} workers of ${THREADS} threads`,
    },
  ].map((server) => ({ ...server, scheme: 'https' }))
}

function nginxConfiguration({ directory, port, socket, cert, key, http2 }) {
  // Started by root, its worker would be a user that may not connect to the socket of gunicorn.
  return `daemon off;
user ${userInfo().username};
worker_processes 1;
pid ${directory}/nginx.pid;
error_log stderr warn;
events { worker_connections 2048; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  upstream app {
    server unix:${socket};
    keepalive 64;
  }
  server {
    listen 127.0.0.1:${port} ssl${http2 ? ' http2' : ''} backlog=2048;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
    }
  }
}
`
}
