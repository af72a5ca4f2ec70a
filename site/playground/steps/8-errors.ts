import type { Step } from './types.ts'

export const step8: Step = {
  number: 8,
  kind: 'application',
  files: {
    python: ['handled.py', 'fragile.py'],
    typescript: ['handled.ts', 'fragile.ts'],
  },
  requests: [
    { method: 'GET', path: '/' },
    { method: 'GET', path: '/early' },
    { method: 'GET', path: '/late' },
    { method: 'GET', path: '/missing' },
  ],
  checks: [
    {
      title: 'what was well is well',
      requests: [{ method: 'GET', path: '/' }],
      expect: { status: 200, body: 'All is well\n' },
      hint: 'GET / still answers "All is well".',
    },
    {
      title: '/missing is answered with 404',
      requests: [{ method: 'GET', path: '/missing' }],
      expect: { status: 404, quiet: false },
      hint: 'GET /missing is answered with 404 Not Found.',
    },
    {
      title: 'other errors with 500',
      requests: [{ method: 'GET', path: '/early' }],
      expect: { status: 500, body: '500 Internal Server Error\n', log: 'nothing was sent yet' },
      hint: 'GET /early still answers 500, and the log has the error.',
    },
    {
      title: 'an error after the head breaks off',
      requests: [{ method: 'GET', path: '/late' }],
      expect: { status: 200, complete: false, log: 'the head was sent' },
      hint: 'GET /late still breaks off after its first line.',
    },
  ],
}
