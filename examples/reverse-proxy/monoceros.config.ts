import { defineConfig } from 'monoceros'

/** Settings of the server: the command reads this file in its folder. */
export default defineConfig({
  wsgi_app: './app.ts:create()',
  access_logfile: '-',
  limit_request_body: '100M',
})
