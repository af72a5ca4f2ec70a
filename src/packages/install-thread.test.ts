import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, onTestFinished, test, vi } from 'vitest'
import { temporaryDirectory } from '../../tests/support/applications.ts'
import { InstallFolder } from './install-folder.ts'
import { parseInstallOptions } from './install-options.ts'

const thread = vi.hoisted(() => ({ program: '' }))
// A thread that fails, in place of the one with the interpreter; so no image is needed.
vi.mock('../own-files/own-files.ts', async (original) => {
  const real = await original<typeof import('../own-files/own-files.ts')>()
  const ownEntry = (name: string) =>
    name === 'packages/install-entry' ? thread.program : real.ownEntry(name)
  return { ...real, ownEntry }
})
vi.mock('../runtimes/pyodide/image/image.ts', () => ({ loadImage: async () => null }))
// Tests of one process share modules: this one gets its own, and leaves none behind.
vi.resetModules()
const { runThread } = await import('./install-thread.ts')
afterAll(() => {
  vi.resetModules()
})

test.each([
  ['throw new RangeError("Out of memory\\n    at wasm")', 'Out of memory'],
  ['throw new Error("no room")', 'no room'],
])('an interpreter that fails is an error of one line: %s', async (program, reason) => {
  const work = temporaryDirectory()
  onTestFinished(work.remove)
  thread.program = join(work.path, 'thread.mjs')
  writeFileSync(thread.program, program)
  const folder = InstallFolder.take('python_modules', work.path, true)
  onTestFinished(() => folder.release())
  const progress = { take() {}, clear() {} } as never
  const interruption = { onSignal() {} } as never
  const options = parseInstallOptions(['flask'])
  const env = { HOME: work.path }
  const installed = runThread(
    { env, cwd: work.path },
    { options, folder, lock: null, progress, interruption },
  )
  await expect(installed).rejects.toMatchObject({
    message: `the embedded Python failed: ${reason} [MONO7107]`,
  })
})
