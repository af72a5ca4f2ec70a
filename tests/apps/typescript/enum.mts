import type { StartResponse } from '../../../src/wsgi/types.ts'

// Syntax that cannot be stripped, only compiled.
// @ts-expect-error: the project itself does without
enum Status {
  OK = '200 OK',
}

export function app(_environ: unknown, startResponse: StartResponse): Uint8Array[] {
  startResponse(Status.OK, [['Content-Type', 'text/plain']])
  return [new TextEncoder().encode('enum\n')]
}
