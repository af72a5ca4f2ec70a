import { compose, compress, dispatcher, errorHandler, fromNodeHandler, pythonApp, requestId } from 'monoceros'
import { legacy } from './legacy.ts'
import { site } from './site.ts'

// One process with four applications; tests/one-process.test.ts serves it, docs/guides/mounting.md tells of it.

export const api = pythonApp('api:app', {
  chdir: import.meta.dirname,
  threads: 4,
  // Uploads go through while they arrive.
  requestBuffering: false,
})

export const admin = pythonApp('back_office.wsgi:application', {
  chdir: import.meta.dirname,
  pythonpath: '../django_project',
  threads: 4,
})

/** With a `next` of ours Express leaves to us what it would answer itself: what a route throws, and paths that it has no route for. */
const express = fromNodeHandler(
  (request, response) =>
    new Promise((_, reject) => {
      legacy(request as never, response as never, (error?: unknown) => {
        if (error !== undefined) reject(error)
        else response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Express has nothing here\n')
      })
    }),
)

const stack = compose(requestId(), errorHandler(), compress())

export const app = stack(dispatcher(site, { '/api': api, '/admin': admin, '/legacy': express }))
