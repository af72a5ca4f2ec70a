import type { Step } from './types.ts'

export const step4: Step = {
  number: 4,
  kind: 'command',
  files: {
    python: ['command.txt', 'append.py', 'hello.py'],
    typescript: ['command.txt', 'append.ts', 'hello.ts'],
  },
  command: {
    python: 'npx monoceros append:app --workers 2 --bind 0.0.0.0:8000\n',
    typescript: 'npx monoceros ./append.ts:app --workers 2 --bind 0.0.0.0:8000\n',
  },
  requests: [
    { method: 'GET', path: '/Ada' },
    { method: 'GET', path: '/', headers: 'Content-Length: 1\nContent-Length: 2' },
  ],
  checks: [
    {
      title: 'the command starts the application',
      requests: [{ method: 'GET', path: '/Ada' }],
      expect: { status: 200, body: 'Hello, Ada!\nGreeted by WSGI.\n' },
      hint: 'The command serves the app of append.',
    },
    {
      title: 'four workers',
      requests: [],
      expect: { settings: { workers: 4 } },
      hint: 'There are four workers.',
    },
    {
      title: 'port 8080 of all addresses',
      requests: [],
      expect: { settings: { bind: ['0.0.0.0:8080'] } },
      hint: 'It listens at port 8080 of all addresses.',
    },
    {
      title: 'requests may take 20 seconds',
      requests: [],
      expect: { settings: { timeout: 20 } },
      hint: 'The timeout is 20 seconds.',
    },
  ],
}
