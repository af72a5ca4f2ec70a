import type { Step } from './types.ts'

export const step1: Step = {
  number: 1,
  kind: 'application',
  files: { python: ['hello.py'], typescript: ['hello.ts'] },
  requests: [
    { method: 'GET', path: '/' },
    { method: 'GET', path: '/J%C3%BCrgen' },
    { method: 'GET', path: '/Ada?loud' },
  ],
  checks: [
    {
      title: 'other requests are answered as before',
      requests: [{ method: 'GET', path: '/Ada' }],
      expect: { status: 200, body: 'Hello, Ada!\n', headers: { 'content-length': '12' } },
      hint: 'GET /Ada still answers "Hello, Ada!".',
    },
    {
      title: 'the query string loud makes the greeting loud',
      requests: [{ method: 'GET', path: '/Ada?loud' }],
      expect: { status: 200, body: 'HELLO, ADA!\n' },
      hint: 'GET /Ada?loud answers "HELLO, ADA!". QUERY_STRING has what follows the question mark.',
    },
    {
      title: 'Content-Length is that of the loud greeting',
      requests: [{ method: 'GET', path: '/I%C5%9F%C4%B1l?loud' }],
      expect: { status: 200, body: 'HELLO, IŞIL!\n', headers: { 'content-length': '14' } },
      hint: 'The upper case of "ı" is "I", one byte less: change the text, then measure its bytes.',
    },
  ],
}
