import { defineConfig } from 'monoceros'

/** Settings of the server: the command reads this file in its folder. */
export default defineConfig({
  wsgi_app: './app.ts',
  access_logfile: '-',
  security_headers: true,
  limit_request_body: '1M',
  // Nobody tries many passwords.
  rate_limit: '10/s:burst=50',
})
