import { defineConfig } from 'monoceros'

/** Settings of the server: the command reads this file in its folder. */
export default defineConfig({
  wsgi_app: './app.ts:create("tasks.json")',
  // The tasks are kept by one process.
  workers: 1,
  access_logfile: '-',
  limit_request_body: '64k',
  security_headers: true,
})
