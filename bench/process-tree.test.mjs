// Run with: npm run test:bench
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { idle } from './idleness.mjs'
import { exactTime, lives, memory, processorTime, processTree } from './process-tree.mjs'

/** Starts a Node program that leads a session and prints a line when it is ready. */
async function start(context, program) {
  const child = spawn(process.execPath, ['-e', program], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  context.after(() => {
    for (const { pid } of processTree(child.pid)) process.kill(pid, 'SIGKILL')
  })
  await once(child.stdout, 'data')
  return child
}

const BURN =
  'const until = process.cpuUsage().user + 300000; while (process.cpuUsage().user < until);'
const WAIT = 'setInterval(() => {}, 1000);'

test('the processor time of children that have ended is counted', async (context) => {
  const program =
    "require('node:child_process').spawnSync(process.execPath, ['-e', " +
    `${JSON.stringify(BURN)}]); console.log('ready'); ${WAIT}`
  const child = await start(context, program)
  assert.equal(processTree(child.pid).length, 1, 'the child of the child has ended')
  const seconds = processorTime(child.pid)
  assert.ok(seconds >= 0.3, `${seconds} s`)
})

test('a process whose parent has ended is found by its session', async (context) => {
  const orphan =
    `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(WAIT)}], ` +
    "{ stdio: 'ignore' }).unref()"
  const middle =
    "require('node:child_process').spawnSync(process.execPath, ['-e', " +
    `${JSON.stringify(orphan)}]); console.log('ready'); ${WAIT}`
  const child = await start(context, middle)
  const tree = processTree(child.pid)
  assert.equal(tree.length, 2)
  assert.ok(tree.some(({ pid, parent }) => pid !== child.pid && parent !== child.pid))
  assert.ok(memory(child.pid) > 5e6, `${memory(child.pid)} bytes`)
})

test('a process that was killed does not live, not even before its parent has waited for it', async (context) => {
  const child = await start(context, `console.log('ready'); ${WAIT}`)
  const [process] = processTree(child.pid)
  assert.equal(lives(process), true)
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.equal(lives(process), false)
  assert.deepEqual(processTree(child.pid), [])
})

test('the exact time of a tree agrees with its ticks, within their size', async (context) => {
  const child = await start(context, `${BURN} console.log('ready'); ${WAIT}`)
  const exact = exactTime(child.pid)
  const ticks = processorTime(child.pid)
  assert.ok(Math.abs(exact - ticks) < 0.05, `${exact} s and ${ticks} s`)
})

test('a server that works on is waited for until it rests', async (context) => {
  const child = await start(context, `console.log('ready'); ${BURN} ${WAIT}`)
  await idle(child.pid, { limit: 20, signal: AbortSignal.timeout(25_000) })
  const seconds = exactTime(child.pid)
  assert.ok(seconds >= 0.3, `${seconds} s`)
})

test('a server that never rests is waited for no longer than the limit', async (context) => {
  const child = await start(context, `console.log('ready'); for (;;);`)
  assert.ok((await idle(child.pid, { limit: 0.2, signal: AbortSignal.timeout(25_000) })) >= 0.2)
})
