import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EXIT, renderExitStatuses } from './exit-status.ts'

const repository = join(import.meta.dirname, '..', '..')
const read = (path: string) => readFileSync(join(repository, path), 'utf8')

/** Constants of a Python module, by name. */
function constantsOf(path: string, prefix = ''): Record<string, number> {
  const found = read(path).matchAll(new RegExp(`^${prefix}([A-Z_]+) = (\\d+)$`, 'gm'))
  return Object.fromEntries([...found].map(([, name, status]) => [name!, Number(status)]))
}

test('the page of exit statuses is what the table gives', () => {
  expect(read('docs/reference/exit-status.md')).toBe(renderExitStatuses())
})

test('workers in Python end with the statuses of the table', () => {
  expect(constantsOf('python/monoceros/exit_status.py')).toEqual(EXIT.worker)
})

test('monoceros python ends with the statuses of the table', () => {
  const { INTERRUPTED, NOT_WRITTEN } = EXIT.python
  expect(constantsOf('python/monoceros_pyodide/run.py', 'EXIT_')).toEqual({
    INTERRUPTED,
    NOT_WRITTEN,
  })
})
