import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  directory,
  interpreter,
  makePool,
  over,
  prepareApplication,
  startPool,
} from '../../../tests/support/pool-bench.ts'
import type { Interpreter } from '../cpython/interpreter.ts'
import { WorkerStartError } from './worker-start-error.ts'

prepareApplication()

describe('an interpreter that does not do what it should', () => {
  /** A worker that greets and then writes what `after` (Python) says. */
  function impostor(after: string): Interpreter {
    const command = join(directory, 'impostor')
    writeFileSync(
      command,
      `#!${interpreter.executable}
import json, os, struct, sys, time
def frame(kind, stream, payload=b"", flags=0):
    os.write(3, struct.pack("<IBBHI", len(payload), kind, flags, 0, stream) + payload)
def ready(**more):
    frame(0x81, 0, json.dumps({"protocol": 4, "pid": os.getpid(), "python": "3", "implementation": "x", **more}).encode())
${after}
time.sleep(60)
`,
    )
    chmodSync(command, 0o755)
    return { ...interpreter, command }
  }

  it.each([
    ['another protocol', 'ready(protocol=2)'],
    ['no READY at all', 'frame(0x81, 0, b"null")'],
    ['READY that is not JSON', 'frame(0x81, 0, b"{")'],
    ['READY without a version', 'frame(0x81, 0, b\'{"protocol": 4}\')'],
    ['an answer to nothing', 'frame(0x85, 1, b"", 1)'],
    ['an unknown frame', 'frame(0x42, 0)'],
    ['its end', 'sys.exit(0)'],
    ['a closed channel', 'os.close(3)'],
  ])('%s ends it before it serves', async (_, after) => {
    const { pool } = makePool({ workers: 1, python: impostor(after) })
    await expect(pool.start()).rejects.toThrow(WorkerStartError)
  })

  it('says when and why it ended', async () => {
    const silent = makePool({ workers: 1, python: impostor('sys.exit(7)') })
    await expect(silent.pool.start()).rejects.toThrow(
      /^A worker exited with status 7 before it was ready to serve \[MONO5006\]$/,
    )
    const confused = makePool({ workers: 1, python: impostor('frame(0x42, 0)') })
    await expect(confused.pool.start()).rejects.toThrow(
      /^A worker killed by SIGKILL before it was ready to serve: it broke the protocol \[MONO5006\]$/,
    )
  })

  it.each([
    ['DATA before HEAD', 'frame(0x83, 1, b"x")'],
    ['END with a payload', 'frame(0x85, 1, b"x")'],
    ['a HEAD longer than its frame', 'frame(0x82, 1, struct.pack("<I", 100) + b"200 OK\\r\\n")'],
    [
      'two HEADs',
      'h = struct.pack("<I", 8) + b"200 OK\\r\\n"; frame(0x82, 1, h); frame(0x82, 1, h)',
    ],
    [
      'more body than its credit',
      'h = struct.pack("<I", 8) + b"200 OK\\r\\n"; frame(0x82, 1, h + b"x" * 2000)',
    ],
    ['RETURNED of what it does not have', 'frame(0x88, 0, struct.pack("<II", 1, 9))'],
    ['RETURNED twice the same', 'frame(0x88, 0, struct.pack("<II", 1, 1))'],
    ['a stream that never was', 'frame(0x85, 99, b"", 1)'],
    [
      'FILE that names nothing',
      'frame(0x82, 1, struct.pack("<I", 8) + b"200 OK\\r\\n"); frame(0x84, 1, b"[]")',
    ],
    ['READY again', 'ready()'],
  ])('%s ends it, and what it had is answered', async (_, after) => {
    const begun = 'ledger = os.pwrite(5, struct.pack("<I", 1), 0)'
    const { submit, logged } = await startPool({
      workers: 1,
      window: 1000,
      python: impostor(`ready()\nos.read(3, 100000)\n${begun}\n${after}`),
    })
    const probe = submit('/1')
    await over([probe])
    expect(probe.outcome).toMatch(/^502/)
    expect(logged.some((line) => /broke the protocol: .* \[MONO5005\]$/.test(line))).toBe(true)
  })

  it('a command that is not there is one clear error', async () => {
    const { pool } = makePool({
      workers: 2,
      python: { ...interpreter, command: join(directory, 'missing') },
    })
    await expect(pool.start()).rejects.toThrow(
      /^A worker could not be started: .*ENOENT \[MONO5006\]$/,
    )
  })
})
