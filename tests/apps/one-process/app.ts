import {
  compose,
  compress,
  dispatcher,
  errorHandler,
  fromNodeHandler,
  pythonApp,
  requestId,
} from 'monoceros'
import { legacy } from './legacy.ts'
import { site } from './site.ts'

// Served by tests/e2e/one-process.test.ts, shown by docs/guides/mounting.md.

const chdir = import.meta.dirname

export const api = pythonApp('api:app', { chdir, threads: 4, requestBuffering: false })

export const admin = pythonApp('back_office.wsgi:application', {
  chdir,
  threads: 4,
  pythonpath: '../django_project',
})

const stack = compose(requestId(), errorHandler(), compress())

export const app = stack(
  dispatcher(site, { '/api': api, '/admin': admin, '/legacy': fromNodeHandler(legacy) }),
)
