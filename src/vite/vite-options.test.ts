import { expect, test } from 'vitest'
import { checkMounts, type ViteMountOptions } from './vite-options.ts'

test('longer mounts come first, and the options of pythonApp are kept', () => {
  const mounts = checkMounts([
    { app: 'a:app', mount: '/' },
    { app: 'b:app', mount: '/api', workers: 2 },
    { app: './c.ts:app', mount: '/api/v2', refresh: false },
  ])
  expect(mounts).toEqual([
    { app: './c.ts:app', mount: '/api/v2', isPython: false, refresh: false, python: {} },
    { app: 'b:app', mount: '/api', isPython: true, refresh: true, python: { workers: 2 } },
    { app: 'a:app', mount: '/', isPython: true, refresh: true, python: {} },
  ])
})

test.each([
  [undefined, /options must be an object such as \{ app: 'flaskapp:app', mount: '\/api' \}/],
  [[], /no application/],
  [{ app: 'a:app' }, /mount must be a path with a slash.*not undefined/],
  [{ app: 'a:app', mount: 'api' }, /mount must be a path.*not the string "api"/],
  [{ app: 'a:app', mount: '/api/' }, /mount must be a path.*not the string "\/api\/"/],
  [{ app: '', mount: '/api' }, /app must be 'MODULE:NAME' or 'FILE:NAME'/],
  [{ app: 'a:app', mount: '/a', refresh: 1 }, /refresh must be true or false/],
  [{ app: 'a:app', mount: '/a', onReload: () => {} }, /onReload cannot be used here/],
  [{ app: './a.ts', mount: '/a', workers: 2 }, /workers is an option of Python applications/],
  [
    [
      { app: 'a:app', mount: '/a' },
      { app: 'b:app', mount: '/a' },
    ],
    /two applications are mounted at \/a$/,
  ],
])('%j is refused', (options, message) => {
  const check = () => checkMounts(options as ViteMountOptions)
  expect(check).toThrow(message)
  expect(check).toThrow(expect.objectContaining({ code: 'vite-option' }))
  // Vite prints the stack, so it is the message only.
  expect(check).toThrow(expect.objectContaining({ stack: expect.not.stringContaining('\n') }))
})
