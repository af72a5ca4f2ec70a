import type { Step } from './types.ts'

export const step8: Step = {
  number: 8,
  title: 'When something goes wrong',
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
  task:
    "Some errors are the client's. " +
    'Let `/missing` raise one that is answered with `404 Not Found`. ' +
    'In Python, raise `LookupError` in `fragile.py`, and let `ErrorHandler` tell it from the ' +
    'others. ' +
    'In TypeScript, throw an error that has `status: 404` and `expose: true`, which ' +
    '`errorHandler` knows.',
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
