import { expect, test } from 'vitest'
import { readPythonIni } from './python-ini.ts'

// The values are those of Python's configparser.
test.each([
  ['[a]\nX = 1', '1'],
  ['[a]\nx: 1', '1'],
  ['[a]\r\nx=1\r\n', '1'],
  ['# note\n[a]\n; note\nx=1 ; 2', '1 ; 2'],
  ['[a]\nx=1\n  2\n# note\n\t3\ny=4', '1\n2\n3'],
  ['[a]\nx=1\n\n  2\n\n\n', '1\n\n2'],
  ['[a]\nx=\n  1', '\n1'],
  ['[a]\n  x=1\n  y=2', '1'],
  ['[a]\nx=b=c:d', 'b=c:d'],
  ['[a]\nx=100%%', '100%'],
  ['[a]\nx=%(Y)s/z\ny=%(here)s', '/etc/z'],
  ['[DEFAULT]\nx=1\n[a]', '1'],
  ['[DEFAULT]\nx=1\n[a]\nx=2', '2'],
  ['[a]\nx=%(none)s', undefined],
  ['[a]\nx=50%', undefined],
  ['[a]\nx=%(x)s', undefined],
  ['[a]\ny=1', undefined],
])('the value in %j', (text, value) => {
  expect(readPythonIni(text, { here: '/etc' })!.get('a', 'x')).toBe(value)
})

test('a raw value keeps its percent signs', () => {
  expect(readPythonIni('[a]\nx=%(message)s %%')!.raw('a', 'x')).toBe('%(message)s %%')
})

test.each(['x=1', '[a]\nx', '[a]\nx=1\nX=2', '[a]\n[a]'])('Python does not read %j', (text) => {
  expect(readPythonIni(text)).toBeNull()
})
