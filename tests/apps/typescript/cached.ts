import type { StartResponse, WSGIEnvironment } from '../../../src/wsgi/types.ts'

let answers = 0

/** Says for how long its answer is fresh. */
export function app(_environ: WSGIEnvironment, startResponse: StartResponse): Uint8Array[] {
  answers++
  startResponse('200 OK', [
    ['Content-Type', 'text/plain'],
    ['Cache-Control', 'max-age=60'],
  ])
  return [new TextEncoder().encode(`answer ${answers} `.repeat(400))]
}
