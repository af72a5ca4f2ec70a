import { spawn } from 'node:child_process'
import { expect, it, onTestFinished } from 'vitest'
import { waitFor } from '../../../tests/support/wait-for.ts'
import { memoryOf } from './process-memory.ts'

const MIB = 1024 ** 2

it('knows the memory of a process, and what it has for itself', async () => {
  const child = spawn(process.execPath, [
    '-e',
    'globalThis.held = Buffer.alloc(50 << 20, 1); console.log("there"); setInterval(() => {}, 1e6)',
  ])
  onTestFinished(() => void child.kill())
  let printed = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  await waitFor('it to be there', () => printed !== '')
  const all = await memoryOf(child.pid!, false)
  const own = await memoryOf(child.pid!, true)
  expect(all?.bytes).toBeGreaterThan(80 * MIB)
  expect(own?.bytes).toBeGreaterThan(50 * MIB)
  expect(own!.bytes).toBeLessThan(all!.bytes)
})

it('knows nothing of a process that does not exist', async () => {
  expect(await memoryOf(2 ** 30, false)).toBeNull()
  expect(await memoryOf(2 ** 30, true)).toBeNull()
})
