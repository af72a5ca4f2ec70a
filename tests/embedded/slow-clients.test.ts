import { test } from 'vitest'
import { eightThatDoNotRead } from '../support/slow-readers.ts'

test('eight clients that do not read what write() sends leave an embedded worker free', async () => {
  await eightThatDoNotRead(['--runtime', 'pyodide', '--inherit-env'])
})
