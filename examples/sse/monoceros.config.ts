import { defineConfig } from 'monoceros'

/** Settings of the server: the command reads this file in its folder. */
export default defineConfig({
  wsgi_app: './app.ts:create()',
  // The messages are kept by one process.
  workers: 1,
  // A reload ends the streams of the old process after this many seconds. Browsers connect again.
  graceful_timeout: 5,
  access_logfile: '-',
  security_headers: true,
  limit_connections_per_address: 100,
  rate_limit: '20/s:burst=100',
})
