import { expect, test } from 'vitest'
import { browserCommand } from './open-browser.js'

test('a machine without a desktop gets the address only', () => {
  expect(browserCommand({}, 'linux')).toBeNull()
  expect(browserCommand({ DISPLAY: ':0' }, 'linux')).toEqual(['xdg-open'])
  expect(browserCommand({ WAYLAND_DISPLAY: 'w', BROWSER: 'firefox' }, 'linux')).toEqual(['firefox'])
  expect(browserCommand({ DISPLAY: ':0', BROWSER: 'sh -c "x %s"' }, 'linux')).toEqual(['xdg-open'])
  expect(browserCommand({ SSH_CONNECTION: 'x' }, 'darwin')).toBeNull()
  expect(browserCommand({}, 'darwin')).toEqual(['open'])
  expect(browserCommand({ BROWSER: 'none', DISPLAY: ':0' }, 'linux')).toBeNull()
})
