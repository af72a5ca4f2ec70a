import { fstatSync } from 'node:fs'
import { expect, test } from 'vitest'
import { LogFile } from './log-file.ts'

test.each([
  ['/dev/stdout', 2, 1],
  ['/dev/stderr', 1, 2],
] as const)('%s is the stream itself, which may be a socket', (path, other, stream) => {
  const file = new LogFile(path, other)
  expect(fstatSync(file.fd)).toMatchObject({ ino: fstatSync(stream).ino })
  expect(file.replace()).toBeUndefined()
  if (file.fd !== stream) file.close()
})
