import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test } from 'vitest'
import { childrenOf, descendantsOf, isAlive, waitUntilGone } from './processes.ts'
import { waitFor } from './wait-for.ts'

test('children and their children are found, and gone when they are', async () => {
  const shell = spawn('sh', ['-c', 'sleep 60 & wait'])
  const pid = shell.pid!
  onTestFinished(() => void shell.kill('SIGKILL'))
  const [sleeping = 0] = await waitFor('its child', () => {
    const found = childrenOf(pid)
    return found.length === 1 && found
  })
  onTestFinished(() => {
    if (isAlive(sleeping)) process.kill(sleeping, 'SIGKILL')
  })
  expect(descendantsOf(pid)).toEqual([sleeping])
  expect(childrenOf(process.pid)).toContain(pid)
  expect(descendantsOf(process.pid)).toEqual(expect.arrayContaining([pid, sleeping]))
  process.kill(sleeping, 'SIGKILL')
  await once(shell, 'exit')
  await waitUntilGone(sleeping)
  expect([childrenOf(pid), descendantsOf(pid)]).toEqual([[], []])
})

test('a child that another thread has started is found', async () => {
  const thread = new Worker(
    `const { spawn } = require('node:child_process')
    const child = spawn('sleep', ['60'])
    const { parentPort } = require('node:worker_threads')
    parentPort.postMessage(child.pid)
    parentPort.once('message', () => child.kill('SIGKILL'))
    child.once('exit', () => parentPort.close())`,
    { eval: true },
  )
  const [pid] = (await once(thread, 'message')) as [number]
  expect(childrenOf(process.pid)).toContain(pid)
  thread.postMessage('end')
  await once(thread, 'exit')
  expect(childrenOf(process.pid)).not.toContain(pid)
})
