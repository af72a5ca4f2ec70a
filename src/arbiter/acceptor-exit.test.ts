import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeExit, exitOf } from './acceptor-exit.ts'

test('the end of an acceptor that cannot be started says why', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-exit-'))
  try {
    // A folder is refused as a program is that the user may not run, even to root.
    expect(describeExit(0, await exitOf(spawn(folder)))).toBe(
      `An acceptor could not be started: the user that it runs as may not run ${folder}`,
    )
    expect(describeExit(0, await exitOf(spawn(join(folder, 'none'))))).toMatch(
      /^An acceptor could not be started: spawn .*none ENOENT$/,
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
