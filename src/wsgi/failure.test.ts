import { expect, test } from 'vitest'
import { failureText } from './failure.ts'

function failedAt(...frames: string[]): Error {
  const error = new Error('no luck')
  error.stack = ['Error: no luck', ...frames.map((frame) => `    at ${frame}`)].join('\n')
  return error
}

test.each([
  ['a clone', 'file:///srv/monoceros/dist/wsgi/application.js:14:32'],
  ['its sources', '/srv/monoceros/src/wsgi/application.ts:14:32'],
  [
    'the package',
    'file:///srv/site/node_modules/monoceros/dist/parts/adapters_fetch_index_server.js:14:32',
  ],
])('the frames below the application are left out, in %s', (_, place) => {
  const error = failedAt(
    'app (/srv/site/app.ts:2:9)',
    `callApplication (${place})`,
    'Call.run (file:///srv/site/node_modules/monoceros/dist/parts/server.js:597:8)',
  )
  expect(failureText(error)).toBe('Error: no luck\n    at app (/srv/site/app.ts:2:9)')
})

test('a function of the application with that name is its own', () => {
  const error = failedAt('callApplication (/srv/site/app.ts:2:9)', 'app (/srv/site/app.ts:9:1)')
  expect(failureText(error)).toBe(error.stack)
})

test.each([
  'app@hello.ts:2:9\nrun@https://site/worker.js:1:2',
  '@hello.ts:2:9',
  'Promise@[native code]\napp@hello.ts:2:9',
])('a stack of Firefox or Safari, which begins with a frame, gets the message: %j', (stack) => {
  const error = Object.assign(new TypeError('no luck'), { stack })
  expect(failureText(error)).toBe(`TypeError: no luck\n${stack}`)
})
