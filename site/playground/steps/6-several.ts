import type { Step } from './types.ts'

export const step6: Step = {
  number: 6,
  kind: 'application',
  files: {
    python: ['several.py', 'where.py', 'hello.py'],
    typescript: ['several.ts', 'where.ts', 'hello.ts', 'where.py'],
  },
  requests: [
    { method: 'GET', path: '/hello/Ada' },
    { method: 'GET', path: '/docs/intro' },
    { method: 'GET', path: '/docs/api/v1' },
    { method: 'GET', path: '/docsearch' },
    { method: 'GET', path: '/docs/people/Ada' },
    { method: 'GET', path: '/python/of/course' },
  ],
  checks: [
    {
      title: 'the other mounts are as before',
      requests: [{ method: 'GET', path: '/docs/api/v1' }],
      expect: { status: 200, body: "mounted at '/docs/api', asked for '/v1'\n" },
      hint: 'GET /docs/api/v1 is still answered by the application at /docs/api.',
    },
    {
      title: 'the greeting at /docs/people',
      requests: [{ method: 'GET', path: '/docs/people/Ada' }],
      expect: { status: 200, body: 'Hello, Ada!\n' },
      hint: 'GET /docs/people/Ada is greeted: the longest prefix wins.',
    },
    {
      title: 'prefixes end at slashes',
      requests: [{ method: 'GET', path: '/docs/peopleware' }],
      expect: { status: 200, body: "mounted at '/docs', asked for '/peopleware'\n" },
      hint: 'GET /docs/peopleware still belongs to /docs.',
    },
  ],
}
