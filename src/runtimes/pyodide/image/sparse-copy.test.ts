import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { copySparsely } from './sparse-copy.ts'

const PIECE = 16 * 1024

test('a memory becomes what the snapshot holds, also where it was written to and the snapshot is zero', () => {
  const head = 48
  const content = new Uint8Array(5 * PIECE + 100)
  content.set(randomBytes(100), 2 * PIECE - 50)
  content[5 * PIECE + 99] = 7
  const memory = new Uint8Array(content.length + PIECE).fill(0)
  memory.set(randomBytes(2 * PIECE), 3 * PIECE + 5)
  const beyond = memory.slice(content.length)

  const snapshot = copySparsely(
    new Uint8Array([...new Uint8Array(head).fill(1), ...content]),
    () => memory,
  )
  // As Pyodide does it.
  expect(snapshot.subarray(0, head)).toEqual(new Uint8Array(head).fill(1))
  memory.set(snapshot.subarray(head))

  expect(Buffer.compare(memory.subarray(0, content.length), content)).toBe(0)
  expect(memory.subarray(content.length)).toEqual(beyond)
})

test('what is zero in both is not written', () => {
  const content = new Uint8Array(4 * PIECE)
  content[PIECE] = 1
  const written: number[] = []
  const memory = new Uint8Array(content.length)
  memory.set = (_from, at = 0) => {
    written.push(at)
  }
  copySparsely(content, () => memory).subarray(0)
  expect(written).toEqual([PIECE])
})
