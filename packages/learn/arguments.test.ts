import { expect, test } from 'vitest'
import { readArguments } from './arguments.js'
import { browserCommand } from './open-browser.js'

test('reads where to listen', () => {
  expect(readArguments([]).bind).toBeNull()
  expect(readArguments(['-b', '[::1]:80']).bind).toEqual({ host: '::1', port: 80 })
  expect(readArguments(['--bind=localhost:0']).bind).toEqual({ host: 'localhost', port: 0 })
  expect(readArguments(['--bind', '9000']).bind).toEqual({ host: '127.0.0.1', port: 9000 })
})

test.each([
  [['--bind', 'unix:/x'], '--bind: expected HOST:PORT, such as 127.0.0.1:8642, got "unix:/x"'],
  [['--bind', '127.0.0.1:70000'], '--bind: expected HOST:PORT'],
  [['--port', '1'], "Unknown option '--port'"],
  [['folder'], "Unexpected argument 'folder'"],
  [['--save-to', 'x', '--no-save'], '--save-to and --no-save exclude each other'],
  [['--save-to='], '--save-to: expected a folder'],
])('says in one line what is wrong with %j', (args, message) => {
  expect(() => readArguments(args)).toThrow(message)
  expect(() => readArguments(args)).toThrow(/^.* \[MONO7201\]$/)
})

test('a machine without a desktop gets the address only', () => {
  expect(browserCommand({}, 'linux')).toBeNull()
  expect(browserCommand({ DISPLAY: ':0' }, 'linux')).toEqual(['xdg-open'])
  expect(browserCommand({ WAYLAND_DISPLAY: 'w', BROWSER: 'firefox' }, 'linux')).toEqual(['firefox'])
  expect(browserCommand({ DISPLAY: ':0', BROWSER: 'sh -c "x %s"' }, 'linux')).toEqual(['xdg-open'])
  expect(browserCommand({ SSH_CONNECTION: 'x' }, 'darwin')).toBeNull()
  expect(browserCommand({}, 'darwin')).toEqual(['open'])
  expect(browserCommand({ BROWSER: 'none', DISPLAY: ':0' }, 'linux')).toBeNull()
})
