import type { WSGIApplication } from '../../../src/wsgi/types.ts'

/** Answers with the strings of the environ, as JSON. */
export const app: WSGIApplication = (environ, startResponse) => {
  const seen = Object.entries(environ).filter(([, value]) => typeof value === 'string')
  startResponse('200 OK', [['Content-Type', 'application/json']])
  return [new TextEncoder().encode(JSON.stringify(Object.fromEntries(seen)))]
}
