import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A pipe that has a reader, which reads only when it is told to. */
export function stalledPipe(): { path: string; read(): string } {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-pipe-'))
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  onTestFinished(() => {
    closeSync(fd)
    rmSync(folder, { recursive: true })
  })
  const buffer = Buffer.alloc(1024 * 1024)
  return {
    path,
    read() {
      let text = ''
      for (;;) {
        try {
          text += buffer.toString('latin1', 0, readSync(fd, buffer))
        } catch {
          return text // there is nothing more at the moment
        }
      }
    },
  }
}
