import { expect, test } from 'vitest'
import { statFields } from '../../src/process/other-process.ts'
import { startPlain } from '../support/plain-application.ts'
import { childrenOf } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'

// How the kernel schedules the server's processes (sched(7)).

const OTHER = 0
const BATCH = 3

/** A process's policy, the 41st field of proc_pid_stat(5), of which the third comes first here. */
const policyOf = (pid: number) => Number(statFields(pid)[38])

test.runIf(hasPython() && process.platform === 'linux').each([
  { how: 'started', args: [] },
  { how: 'forked', args: ['--preload'] },
])('workers that are $how are batch processes, and the acceptor is not', async ({ args }) => {
  const server = await startPlain({ args: ['--workers', '2', ...args] })
  const [acceptor] = childrenOf(server.pid)
  expect([server.pid, acceptor!].map(policyOf)).toEqual([OTHER, OTHER])
  const below = childrenOf(acceptor!)
  const workers = args.length > 0 ? below.flatMap(childrenOf) : below
  expect(workers.map(policyOf)).toEqual([BATCH, BATCH])
})
