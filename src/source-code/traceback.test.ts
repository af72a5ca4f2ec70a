import { describe, expect, test } from 'vitest'
import { isOfApplication, messageIn, placesIn } from './traceback.ts'

const PYTHON = `application 'app:app' could not be loaded
Traceback (most recent call last):
  File "/srv/app.py", line 3, in <module>
    import lib
  File "/srv/.venv/lib/python3.12/site-packages/lib.py", line 9, in <module>
    raise KeyError(1)
KeyError: 1

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/app.py", line 5, in make
    raise ValueError("no\\nsuch thing")
ValueError: no
such thing`

const SYNTAX = `application 'app:app' could not be loaded
Traceback (most recent call last):
  File "/srv/app.py", line 1, in <module>
    import bad
  File "/srv/bad.py", line 1
    def broken(:
               ^
SyntaxError: invalid syntax`

const JAVASCRIPT = `Cannot load ./app.ts: its module raised
TypeError: no
such thing
    at make (file:///srv/app.ts:5:9)
    at async file:///srv/node_modules/lib/index.js:1:2
    at node:internal/timers:1:1`

const JITI = `Cannot load ./app.ts: its module raised
Error: ParseError: Unexpected token
 /srv/word.ts:2:0`

describe('the places that an error names', () => {
  test('are the calls in all tracebacks of Python', () => {
    expect(placesIn(PYTHON)).toEqual([
      { file: '/srv/app.py', line: 3, name: '<module>' },
      { file: '/srv/.venv/lib/python3.12/site-packages/lib.py', line: 9, name: '<module>' },
      { file: '/srv/app.py', line: 5, name: 'make' },
    ])
    expect(placesIn(PYTHON).map(isOfApplication)).toEqual([true, false, true])
  })

  test('have that of a syntax error', () => {
    expect(placesIn(SYNTAX).at(-1)).toEqual({ file: '/srv/bad.py', line: 1, name: '' })
    expect(placesIn(JITI)).toEqual([{ file: '/srv/word.ts', line: 2, name: '' }])
  })

  test('are the calls in a stack of JavaScript', () => {
    const places = placesIn(JAVASCRIPT)
    expect(places).toEqual([
      { file: '/srv/app.ts', line: 5, name: 'make' },
      { file: '/srv/node_modules/lib/index.js', line: 1, name: '' },
    ])
    expect(places.map(isOfApplication)).toEqual([true, false])
  })
})

test.each([
  ['of a traceback', PYTHON, 'ValueError: no\nsuch thing'],
  ['of a syntax error', SYNTAX, 'SyntaxError: invalid syntax'],
  ['of a stack', JAVASCRIPT, 'TypeError: no\nsuch thing'],
  ['of an error without a stack', JITI, 'Error: ParseError: Unexpected token\n /srv/word.ts:2:0'],
  ['of anything else', 'there is no module x', 'there is no module x'],
])('the message %s is found', (_what, text, message) => {
  expect(messageIn(text)).toBe(message)
})
