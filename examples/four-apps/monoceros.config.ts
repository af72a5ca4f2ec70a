import { defineConfig } from 'monoceros'

/** Settings of the server: the command reads this file in its folder. */
export default defineConfig({
  wsgi_app: './app.ts',
  access_logfile: '-',
  access_log_format: '%(h)s "%(r)s" %(s)s %({x-request-id}o)s',
  limit_request_body: '64k',
  security_headers: true,
})
