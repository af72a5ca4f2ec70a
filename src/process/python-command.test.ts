import { afterEach, expect, test } from 'vitest'
import { helperPythons } from './helper-python.ts'
import { forgetPythonCommand, packagePython, readPythonCommand } from './python-command.ts'

const VARIABLE = 'MONOCEROS_PYTHON_COMMAND'

afterEach(() => void readPythonCommand({}))

test('what the command in Python says is read, with what it may leave out', () => {
  const text = JSON.stringify({ executable: '/venv/bin/python' })
  expect(readPythonCommand({ [VARIABLE]: text })).toEqual({
    executable: '/venv/bin/python',
    settings: {},
    channel: null,
  })
  expect(packagePython()).toBe('/venv/bin/python')
})

test('its interpreter is tried for helper programs, after those of the system', () => {
  readPythonCommand({ [VARIABLE]: '{"executable": "/venv/bin/python"}' })
  expect(helperPythons({ PATH: '/bin' })).toEqual([
    '/usr/bin/python3',
    '/bin/python3',
    '/venv/bin/python',
  ])
})

test.each(['', 'x', '[]', '{}', '{"executable": 1}'])('a variable of %j says nothing', (text) => {
  expect(readPythonCommand({ [VARIABLE]: text })).toBeNull()
  expect(packagePython()).toBeNull()
})

test('no process of the application sees the variable', () => {
  const env = { [VARIABLE]: '{}', HOME: '/' }
  forgetPythonCommand(env)
  expect(env).toEqual({ HOME: '/' })
})
