import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { identityText, processIdentity } from '../../src/runtimes/pyodide/process-identity.ts'
import { temporaryDirectory } from './applications.ts'
import { makeTemporaryFolder } from './temporary-folder.ts'

const { path, remove } = temporaryDirectory()
afterAll(remove)

test('a run removes the temporary files of runs that were killed, and nothing else', () => {
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  const killed = join(path, 'monoceros-suite-killed')
  const others = ['monoceros-suite-begun', 'monoceros-suite-alive', 'monoceros-notes'].map((name) =>
    join(path, name),
  )
  for (const folder of [killed, ...others]) mkdirSync(join(folder, 'inner'), { recursive: true })
  writeFileSync(join(killed, 'owner'), identityText({ ...processIdentity(), pid }))
  writeFileSync(join(others[1]!, 'owner'), identityText(processIdentity()))
  const own = makeTemporaryFolder(path)
  expect([killed, own, ...others].map(existsSync)).toEqual([false, true, true, true, true])
  const next = makeTemporaryFolder(path)
  expect([own, next].map(existsSync)).toEqual([true, true])
})
