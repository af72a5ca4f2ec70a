import { spawnSync } from 'node:child_process'
import { existsSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../tests/support/applications.ts'
import { ownEntry } from '../own-files/own-files.ts'

test.skipIf(!existsSync('/dev/full'))('without space there is no snapshot, but an error', () => {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  symlinkSync('/dev/full', join(folder.path, 'heap.heapsnapshot'))
  // In a process of its own: a snapshot of this one's heap, with all tests, takes minutes.
  const program = `
    import { heapPart } from ${JSON.stringify(ownEntry('acceptor/heap-snapshot').href)}
    heapPart({ worker: process.pid, offset: null, done: false }, ${JSON.stringify(folder.path)})`
  const args = ['--input-type=module', '-e', program]
  const run = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect([run.status, run.stderr]).toEqual([1, expect.stringContaining('ENOSPC')])
})
