import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { overlayError } from './overlay-error.ts'

function source(name: string, lines: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, name), lines.join('\n'))
  return join(folder, name)
}

test('a traceback of Python has the calls of the application, the last one first', () => {
  const file = source('shop.py', ['import flask', '', 'def view():', '    return 1 / 0', ''])
  const text = `Traceback (most recent call last):
  File "/usr/lib/python3.12/site-packages/flask/app.py", line 1511, in wsgi_app
    response = self.full_dispatch_request()
  File "${file}", line 9, in outer
  File "${file}", line 4, in view
    return 1 / 0
           ~~^~~
ZeroDivisionError: division by zero`
  expect(overlayError(text, 'shop:app')).toEqual({
    message: 'ZeroDivisionError: division by zero',
    stack: `    at view ${file}:4:1\n    at outer ${file}:9:1`,
    frame: '  1 | import flask\n  2 | \n  3 | def view():\n> 4 |     return 1 / 0\n  5 | \n',
    plugin: 'monoceros: shop:app',
    id: file,
    loc: { file, line: 4, column: 1 },
  })
})

test('a syntax error has its place', () => {
  const file = source('shop.py', ['TITLE = = 1'])
  const text = `  File "${file}", line 1
    TITLE = = 1
            ^
SyntaxError: invalid syntax`
  expect(overlayError(text, 'shop:app')).toMatchObject({
    message: 'SyntaxError: invalid syntax',
    frame: '> 1 | TITLE = = 1\n',
    loc: { file, line: 1, column: 1 },
  })
})

test('a stack of JavaScript keeps its order', () => {
  const file = source('site.ts', ['throw 1'])
  const text = `TypeError: no
    at inner (${file}:1:3)
    at outer (${file}:2:3)
    at /srv/node_modules/koa/a.js:1:1`
  expect(overlayError(text, './site.ts')).toMatchObject({
    message: 'TypeError: no',
    stack: `    at inner ${file}:1:1\n    at outer ${file}:2:1`,
    loc: { file, line: 1, column: 1 },
  })
})

test('a text without a place is a message', () => {
  expect(overlayError('there is no module shop', 'shop:app')).toEqual({
    message: 'there is no module shop',
    stack: '',
    frame: '',
    plugin: 'monoceros: shop:app',
  })
})
