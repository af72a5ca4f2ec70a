import { expect, test } from 'vitest'
import { isOfPackage, isOfStandardLibrary, isSkipped, roleOf } from './file-roles.ts'

test.each([
  ['shop/views.py', true, 'source'],
  ['shop/views.ts', true, 'other'],
  ['shop/views.ts', false, 'source'],
  ['shop/views.py', false, 'other'],
  ['shop/templates/a.txt', true, 'template'],
  ['pages/a.html', true, 'template'],
  ['shop/static/a.txt', true, 'static'],
  ['shop/static/a.html', true, 'static'],
  ['shop/site.css', true, 'static'],
  ['shop/site.js', true, 'static'],
  ['shop/site.js', false, 'source'],
  ['static/settings.py', true, 'source'],
  ['db.sqlite3', true, 'other'],
  ['notes.md', true, 'other'],
])('%s of an application in Python (%s) is %s', (path, isPython, role) => {
  // A folder above the root says nothing.
  expect(roleOf(`/static/site/${path}`, '/static/site', isPython)).toBe(role)
})

test.each([
  ['.git', true],
  ['.app.py.swp', true],
  ['app.py~', true],
  ['4913', true],
  ['#app.py#', true],
  ['node_modules', true],
  ['__pycache__', true],
  ['app.py', false],
  ['4913.py', false],
])('%s is skipped: %s', (name, skipped) => {
  expect(isSkipped(`/srv/${name}`)).toBe(skipped)
})

test('files of Python, of packages and of the application are told apart', () => {
  const standard = '/usr/lib/python3.12/json/decoder.py'
  const packaged = '/srv/.venv/lib/python3.12/site-packages/flask/app.py'
  const own = '/srv/lib/python/app.py'
  expect([standard, packaged, own].map(isOfStandardLibrary)).toEqual([true, false, false])
  expect([standard, packaged, own].map(isOfPackage)).toEqual([false, true, false])
  expect(isOfStandardLibrary('<frozen os>')).toBe(true)
})
