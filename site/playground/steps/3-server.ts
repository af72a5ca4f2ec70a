import type { Step } from './types.ts'

const post = {
  method: 'POST',
  path: '/Ada',
  headers: 'Content-Type: text/plain\nContent-Length: 0',
}

export const step3: Step = {
  number: 3,
  kind: 'server',
  files: {
    python: ['server.py', 'append.py', 'hello.py', 'reference.py'],
    typescript: ['server.ts', 'append.ts', 'hello.ts', 'reference.ts'],
  },
  mains: {
    python: ['server.py', 'reference.py'],
    typescript: ['server.ts', 'reference.ts'],
  },
  requests: [{ method: 'GET', path: '/Ada%20Lovelace?lang=en' }, post],
  checks: [
    {
      title: 'requests without these headers are answered as before',
      requests: [{ method: 'GET', path: '/Ada%20Lovelace?lang=en' }],
      expect: { status: 200, body: 'Hello, Ada Lovelace!\nGreeted by WSGI.\n' },
      hint: 'GET /Ada%20Lovelace?lang=en still gets both lines.',
    },
    {
      title: 'CONTENT_TYPE has no HTTP_ in front',
      requests: [{ method: 'POST', path: '/Ada', headers: 'Content-Type: text/plain' }],
      expect: { status: 200, environ: { CONTENT_TYPE: 'text/plain', HTTP_CONTENT_TYPE: null } },
      hint: 'The header Content-Type becomes CONTENT_TYPE.',
    },
    {
      title: 'CONTENT_LENGTH has no HTTP_ in front',
      requests: [post],
      expect: { status: 200, environ: { CONTENT_LENGTH: '0', HTTP_CONTENT_LENGTH: null } },
      hint: 'The header Content-Length becomes CONTENT_LENGTH.',
    },
    {
      title: 'all other headers have it',
      requests: [{ method: 'GET', path: '/', headers: 'X-Content-Type: a' }],
      expect: { status: 200, environ: { HTTP_X_CONTENT_TYPE: 'a' } },
      hint: 'The header X-Content-Type becomes HTTP_X_CONTENT_TYPE.',
    },
  ],
}
