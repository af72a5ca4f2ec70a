import { compose, dispatcher, errorHandler, pythonApp, requestId, staticFiles } from 'monoceros'

const frontEnd = staticFiles({
  root: 'dist',
  immutable: /^\/assets\//,
  headers: () => [['Content-Security-Policy', "default-src 'self'; frame-ancestors 'none'"]],
})()

/** What is served in production: the built pages, Django, and the files of its admin. */
export const app = compose(
  requestId(),
  errorHandler(),
)(
  dispatcher(frontEnd, {
    '/backend': pythonApp('backend.wsgi:application', { pythonpath: 'backend', workers: 2 }),
    '/backend/static': staticFiles({ root: 'backend/static_files' })(),
  }),
)
