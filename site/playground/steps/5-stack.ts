import type { Step } from './types.ts'

const id = { 'x-request-id': 'tutorial-5' }

export const step5: Step = {
  number: 5,
  kind: 'application',
  files: {
    python: ['stacked.py', 'append.py', 'hello.py'],
    typescript: ['stacked.ts', 'append.ts', 'hello.ts'],
  },
  requests: [
    { method: 'GET', path: '/Ada', headers: 'X-Request-ID: tutorial-5' },
    { method: 'GET', path: '/health' },
  ],
  checks: [
    {
      title: 'other requests go through the whole stack',
      requests: [{ method: 'GET', path: '/Ada', headers: 'X-Request-ID: tutorial-5' }],
      expect: { status: 200, body: 'Hello, Ada!\nGreeted by WSGI.\n', headers: id },
      hint: 'GET /Ada still gets the greeting, the line and the id.',
    },
    {
      title: '/health is answered',
      requests: [{ method: 'GET', path: '/health' }],
      expect: { status: 200, body: 'ok', headers: { 'content-type': 'text/plain' } },
      hint: 'GET /health answers "ok", without a line break, as text/plain.',
    },
    {
      title: 'by the outermost middleware',
      requests: [{ method: 'GET', path: '/health' }],
      expect: { status: 200, headers: { 'x-request-id': null } },
      hint: 'The answer to /health has no X-Request-ID: the outermost middleware comes first.',
    },
    {
      title: 'only that path',
      requests: [{ method: 'GET', path: '/healthy' }],
      expect: { status: 200, body: 'Hello, healthy!\nGreeted by WSGI.\n' },
      hint: 'GET /healthy is not /health: it is greeted.',
    },
  ],
}
