import type { Step } from './types.ts'

const note = { method: 'POST', path: '/', body: 'Buy milk' }
const clear = { method: 'DELETE', path: '/' }

export const step7: Step = {
  number: 7,
  kind: 'application',
  files: { python: ['notes.py', 'methods.py'], typescript: ['notes.ts'] },
  requests: [
    note,
    { method: 'GET', path: '/' },
    { method: 'HEAD', path: '/' },
    { method: 'OPTIONS', path: '/' },
    clear,
  ],
  checks: [
    {
      title: 'notes are added and shown as before',
      requests: [note, { method: 'GET', path: '/' }],
      expect: { status: 200, body: '1. Buy milk\n' },
      hint: 'A note that is posted is shown.',
    },
    {
      title: 'DELETE answers 204',
      requests: [note, clear],
      expect: { status: 204, body: '', headers: { 'content-type': null } },
      hint: 'DELETE answers 204 No Content, without a Content-Type.',
    },
    {
      title: 'and the notes are gone',
      requests: [note, clear, { method: 'GET', path: '/' }],
      expect: { status: 200, body: '' },
      hint: 'After DELETE, GET shows no notes.',
    },
    {
      title: 'OPTIONS lists it',
      requests: [{ method: 'OPTIONS', path: '/' }],
      expect: { status: 204, headers: { allow: 'DELETE, GET, HEAD, OPTIONS, POST' } },
      hint: 'OPTIONS lists DELETE among the methods.',
    },
    {
      title: 'other methods are still refused',
      requests: [{ method: 'PUT', path: '/', body: 'a' }],
      expect: { status: 405, headers: { allow: 'DELETE, GET, HEAD, OPTIONS, POST' } },
      hint: 'PUT is answered with 405, and its header Allow lists DELETE too.',
    },
  ],
}
