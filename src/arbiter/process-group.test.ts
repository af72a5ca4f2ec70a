import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { groupGone, signalGroup } from './process-group.ts'

const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) signalGroup(child.pid!, 'SIGKILL')
})

/** Starts a group leader that runs a shell script; resolves when the script has said something. */
async function lead(script: string): Promise<ChildProcess & { pid: number }> {
  const child = spawn('/bin/sh', ['-c', script], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  children.push(child)
  await once(child.stdout, 'data')
  return child as ChildProcess & { pid: number }
}

const soon = () => performance.now() + 5000

test('a group is gone when its last process is, not when its leader is', async () => {
  const leader = await lead('sleep 60 & echo up; read line')
  leader.stdin?.end()
  await once(leader, 'exit')
  expect(signalGroup(leader.pid, 0)).toBe(true)
  const now = performance.now()
  expect(await groupGone(leader.pid, () => now)).toBe(false)
  signalGroup(leader.pid, 'SIGKILL')
  expect(await groupGone(leader.pid, soon)).toBe(true)
})

test('the deadline may come nearer while it is waited for', async () => {
  const leader = await lead('echo up; read line')
  let deadline = performance.now() + 60_000
  const gone = groupGone(leader.pid, () => deadline)
  deadline = performance.now()
  expect(await gone).toBe(false)
})

test.runIf(process.platform === 'linux')('a zombie does not count', async () => {
  const inner = spawn('python3', ['-c', zombieMaker], { stdio: ['pipe', 'pipe', 'ignore'] })
  try {
    const [line] = await once(inner.stdout, 'data')
    const zombieGroup = Number(String(line))
    expect(await groupGone(zombieGroup, soon)).toBe(true)
    // It was there all the time.
    expect(signalGroup(zombieGroup, 0)).toBe(true)
  } finally {
    inner.kill('SIGKILL')
  }
})

/** Starts a process that leads its own group and ends at once, and never reaps it. */
const zombieMaker = `
import os, sys
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os._exit(0)
try:
    os.setpgid(pid, pid)
except OSError:
    pass
print(pid, flush=True)
sys.stdin.read()
`
