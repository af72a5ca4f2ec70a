import { defineConfig } from 'monoceros'

/** Settings of the server in production: the command reads this file in its folder. */
export default defineConfig({
  wsgi_app: './app.ts',
  access_logfile: '-',
  limit_request_body: '1M',
  security_headers: true,
})
