import { expect, test } from 'vitest'
import { demoApp } from './demo-app.ts'
import { setupTestingDefaults } from './testing-defaults.ts'
import type { WSGIEnvironment } from './types.ts'

// Its strings are held against Python's in tests/e2e/wsgiref-equivalence.test.ts.

test('an empty environ becomes one that an application can be called with', async () => {
  const environ: Partial<WSGIEnvironment> = {}
  setupTestingDefaults(environ)
  const body = await demoApp(environ, () => () => Promise.resolve())
  expect(Buffer.concat([...(body as Uint8Array[])]).toString()).toBe(`Hello world!

HTTP_HOST = '127.0.0.1'
PATH_INFO = '/'
REQUEST_METHOD = 'GET'
SCRIPT_NAME = ''
SERVER_NAME = '127.0.0.1'
SERVER_PORT = '80'
SERVER_PROTOCOL = 'HTTP/1.0'
wsgi.errors = <Object>
wsgi.input = <Object>
wsgi.multiprocess = false
wsgi.multithread = false
wsgi.run_once = false
wsgi.url_scheme = 'http'
wsgi.version = [1, 0]
`)
  expect(await environ['wsgi.input'].read()).toEqual(new Uint8Array(0))
})

test('what is written to the errors can be read', () => {
  const environ: Partial<WSGIEnvironment> = {}
  setupTestingDefaults(environ)
  environ['wsgi.errors'].write('one\n')
  environ['wsgi.errors'].writelines(['two\n', 'three'])
  environ['wsgi.errors'].flush()
  expect(String(environ['wsgi.errors'])).toBe('one\ntwo\nthree')

  const other: Partial<WSGIEnvironment> = {}
  setupTestingDefaults(other)
  expect(String(other['wsgi.errors'])).toBe('')
})

test('what is there stays, false and empty as it may be', () => {
  const given = {
    'wsgi.multithread': true,
    'wsgi.errors': { write() {}, writelines() {}, flush() {} },
    HTTP_HOST: '',
    SCRIPT_NAME: '',
  }
  const environ: Partial<WSGIEnvironment> = { ...given }
  setupTestingDefaults(environ)
  expect(environ).toMatchObject(given)
  expect(environ.PATH_INFO).toBeUndefined()
})
