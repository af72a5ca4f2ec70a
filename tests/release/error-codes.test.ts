import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withCode } from '../../src/messages/pages.ts'
import { EXAMPLE_FILES, type MessageRow } from '../../src/messages/row.ts'
import { TABLE } from '../../src/messages/table.ts'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { testPython } from '../support/python.ts'

// The examples on the pages of errors and warnings are run as they stand there, and print what
// stands there: each makes its error happen. src/messages/table.test.ts names the tests of the
// others.

const work = temporaryDirectory()
const bin = join(work.path, 'bin')
const cases = Object.entries(TABLE as Readonly<Record<string, MessageRow>>).filter(
  ([, row]) => row.test === 'examples',
)

beforeAll(() => {
  mkdirSync(bin)
  const program = `#!/bin/sh\nexec "${process.execPath}" "${commandPath}" "$@"\n`
  writeFileSync(join(bin, 'monoceros'), program, { mode: 0o755 })
  const python = `#!/bin/sh\nexec "${testPython().executable}" "$@"\n`
  writeFileSync(join(bin, 'python3'), python, { mode: 0o755 })
})
afterAll(() => work.remove())

/** Runs commands in a folder of their own, as a reader would. */
async function printed(code: string, { files = {}, run }: MessageRow['example']): Promise<string> {
  const cwd = join(work.path, code)
  mkdirSync(cwd)
  for (const [name, text] of Object.entries({ ...EXAMPLE_FILES, ...files }))
    writeFileSync(join(cwd, name), text)
  const child = spawn('sh', ['-c', run], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: {
      PATH: `${bin}:${process.env.PATH}`,
      HOME: work.path,
      // Examples listen at the usual port; several of them are run at the same time.
      MONOCEROS_CMD_ARGS: '--bind 127.0.0.1:0',
    },
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
  // One that serves has not made its error happen.
  const late = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), 60_000)
  await once(child, 'close')
  clearTimeout(late)
  return text
}

/** What an example shows, as a pattern: `…` stands for anything. */
function patternOf(code: string, shows: string): RegExp {
  const parts = withCode(code, shows)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(parts.join('.*'))
}

test.concurrent.each(cases)('%s', async (code, row) => {
  const text = await printed(code, row.example)
  expect(text).toMatch(patternOf(code, row.example.shows))
  expect(text).not.toMatch(/please report it/)
})
