import { execFileSync } from 'node:child_process'
import {
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import type { FileReference } from '../runtimes/runtime.ts'
import { UNLIMITED_MEMORY } from '../spool/memory-budget.ts'
import { PiecePool } from '../spool/piece-pool.ts'
import { FileSender } from './file-sender.ts'

let directory: string
let path: string
const content = Buffer.alloc(1_000_000, 'content of a file ')

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-file-'))
  path = join(directory, 'file')
  writeFileSync(path, content)
})

afterEach(async () => {
  await waitFor('the file to be closed', () =>
    readdirSync('/proc/self/fd').every((fd) => {
      try {
        return !readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)
      } catch {
        return true // the descriptor of the listing itself
      }
    }),
  )
  rmSync(directory, { recursive: true, force: true })
})

function reference(offset = 0, length = content.length): FileReference {
  const { dev, ino } = statSync(path)
  return { path, device: dev, inode: ino, offset, length }
}

/** Sends; the client takes each piece when `taking`. */
function send(what: FileReference, taking = true) {
  const seen = {
    bytes: [] as Buffer[],
    finished: 0,
    failures: [] as string[],
    body: null as unknown as FileSender,
  }
  seen.body = new FileSender(what, new PiecePool(UNLIMITED_MEMORY), {
    data: (chunk) => {
      seen.bytes.push(Buffer.from(chunk)) // its memory is used again
      if (taking) setImmediate(() => seen.body.written(chunk.length))
      return true
    },
    finish: () => seen.finished++,
    failed: (reason) => seen.failures.push(reason),
  })
  const begun = seen.body.begin()
  return Object.assign(seen, { begun })
}

const over = (seen: ReturnType<typeof send>) =>
  waitFor('the end', () => seen.finished + seen.failures.length > 0).then(() =>
    Buffer.concat(seen.bytes),
  )

describe('a file as a body', () => {
  it('is sent whole, or the part that was asked for', async () => {
    for (const [offset, length] of [
      [0, content.length],
      [0, 0],
      [5, 1],
      [131_071, 131_073],
      [999_999, 1],
    ] as const) {
      const seen = send(reference(offset, length))
      expect((await over(seen)).equals(content.subarray(offset, offset + length))).toBe(true)
      expect([seen.finished, seen.failures]).toEqual([1, []])
    }
  })

  it('is read no further ahead than a little of what the client takes', async () => {
    const seen = send(reference(), false)
    await waitFor('the first piece', () => seen.bytes.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(seen.bytes.length).toBe(1)
    seen.body.written(seen.bytes[0]!.length)
    await waitFor('another', () => seen.bytes.length === 2)
    seen.body.close()
  })

  it('is refused when another is in its place', async () => {
    const meant = reference()
    writeFileSync(`${path}.new`, 'other')
    renameSync(`${path}.new`, path)
    const seen = send(meant)
    await over(seen)
    expect(seen.failures).toEqual([`${path}: it is not the file that the application opened`])
    expect(seen.bytes).toEqual([])
  })

  it('is refused when it has gone, and when a FIFO or a directory is there', async () => {
    const meant = reference()
    rmSync(path)
    for (const make of [() => {}, () => execFileSync('mkfifo', [path])]) {
      make()
      const seen = send(meant)
      await over(seen)
      expect(seen.failures.length).toBe(1)
      expect(seen.bytes).toEqual([])
    }
    const { dev, ino } = statSync(directory)
    const seen = send({ path: directory, device: dev, inode: ino, offset: 0, length: 1 })
    await over(seen)
    expect(seen.failures.length).toBe(1)
  })

  it('that has become shorter fails where it ends', async () => {
    const meant = reference()
    truncateSync(path, 1000)
    const seen = send(meant)
    expect((await over(seen)).length).toBe(1000)
    expect(seen.failures).toEqual([`${path}: it has become shorter while it was sent`])
    expect(seen.finished).toBe(0)
  })

  it('that nobody wants any more says nothing, at whatever moment', async () => {
    for (let turns = 0; turns < 8; turns++) {
      const seen = send(
        turns % 2 === 0 ? reference() : { ...reference(), path: `${path}.missing` },
        false,
      )
      for (let i = 0; i < turns >> 1; i++) await new Promise((resolve) => setImmediate(resolve))
      const had = seen.failures.length
      seen.body.close()
      await seen.begun
      const bytes = seen.bytes.length
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect([seen.finished, seen.failures.length, seen.bytes.length]).toEqual([0, had, bytes])
    }
  })
})
