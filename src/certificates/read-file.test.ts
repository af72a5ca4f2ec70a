import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../tests/support/applications.ts'
import { readFile } from './read-file.ts'

test('what came through a pipe is still there when it is read again', () => {
  const { path, remove } = temporaryDirectory()
  onTestFinished(remove)
  const pipe = join(path, 'key')
  execFileSync('mkfifo', [pipe])
  const writer = spawn('sh', ['-c', 'echo secret > "$0"', pipe])
  onTestFinished(() => void writer.kill())
  expect(readFile(pipe, 'keyfile')).toBe('secret\n')
  expect(readFile(pipe, 'keyfile')).toBe('secret\n')
})
