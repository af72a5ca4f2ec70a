import { expect, test } from 'vitest'
import { helperPythons } from './helper-python.ts'

test("a helper runs with the system's Python rather than with one of the application's user", () => {
  const environment = { PATH: '/opt/bin::/usr/bin', VIRTUAL_ENV: '/venv' }
  const always = ['/usr/bin/python3', '/opt/bin/python3', '/usr/bin/python3', '/venv/bin/python']
  expect(helperPythons(environment)).toEqual(always)
  expect(helperPythons(environment, { python: null, chdir: '/srv' })).toEqual([
    ...always,
    '/srv/.venv/bin/python',
  ])
  expect(helperPythons({}, { python: 'env/bin/python', chdir: '/srv' })).toEqual([
    '/usr/bin/python3',
    '/srv/env/bin/python',
  ])
  expect(helperPythons({}, { python: 'python3.12', chdir: '/srv' })[1]).toBe('python3.12')
})
