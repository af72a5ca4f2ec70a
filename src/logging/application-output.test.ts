import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { LineSplitter } from './application-output.ts'

/** The lines of bytes that arrive in pieces ending at the given places. */
function linesOf(bytes: Buffer, cuts: readonly number[] = []): string[] {
  const lines: string[] = []
  const splitter = new LineSplitter((line) => lines.push(line))
  let start = 0
  for (const cut of [
    ...cuts.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b),
    bytes.length,
  ]) {
    // A pipe's buffer is used again: what is kept must have been copied.
    const chunk = Buffer.from(bytes.subarray(start, cut))
    splitter.push(chunk)
    chunk.fill(0x21)
    start = cut
  }
  splitter.end()
  return lines
}

test('lines end with LF or CRLF, and the last one needs no end', () => {
  expect(linesOf(Buffer.from('a\nb\r\n\nc\rd'))).toEqual(['a', 'b', '', 'c\rd'])
  expect(linesOf(Buffer.from('a\n'))).toEqual(['a'])
  expect(linesOf(Buffer.from(''))).toEqual([])
})

test('a line is delivered as soon as it is complete', () => {
  const lines: string[] = []
  const splitter = new LineSplitter((line) => lines.push(line))
  splitter.push(Buffer.from('one\ntw'))
  expect(lines).toEqual(['one'])
  splitter.push(Buffer.from('o\r'))
  splitter.push(Buffer.from('\n'))
  expect(lines).toEqual(['one', 'two'])
})

test('the lines are the same however the pipe splits them', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', 'é', '€', '😀', '\r', '\n', '\r\n', ' '),
    maxLength: 60,
  })
  fc.assert(
    fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (input, cuts) => {
      const lines = input.split('\n').map((line) => line.replace(/\r$/, ''))
      // An end that only ends the last line begins no further one; a last CR alone is taken for
      // half a line end.
      const expected = input === '' || input.endsWith('\n') ? lines.slice(0, -1) : lines
      expect(linesOf(Buffer.from(input), cuts)).toEqual(expected)
    }),
  )
})

test('bytes that are not UTF-8 become replacement characters', () => {
  expect(linesOf(Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xe2, 0x82]))).toEqual(['a\ufffdb', '\ufffd'])
})

test('a line over 64 KiB comes in marked pieces that lose no character, and is never kept whole', () => {
  const line = `${'x'.repeat(65535)}${'€'.repeat(40000)}`
  for (const cuts of [
    [],
    [1, 65536, 65537, 100000],
    Array.from({ length: 500 }, (_, index) => index * 371),
  ]) {
    const pieces = linesOf(Buffer.from(`${line}\nnext\n`), cuts)
    expect(pieces.at(-1)).toBe('next')
    const parts = pieces.slice(0, -1)
    expect(parts.length).toBeGreaterThan(2)
    parts.forEach((part, index) => {
      expect(part.startsWith('[...] ')).toBe(index > 0)
      expect(part.endsWith(' [...]')).toBe(index < parts.length - 1)
      expect(Buffer.byteLength(part)).toBeLessThanOrEqual(65536 + 12)
    })
    expect(
      parts.map((part) => part.replace(/^\[\.\.\.\] /, '').replace(/ \[\.\.\.\]$/, '')).join(''),
    ).toBe(line)
  }
})

test('a line of exactly 64 KiB is whole, with either line end', () => {
  const line = 'x'.repeat(65536)
  expect(linesOf(Buffer.from(`${line}\n`))).toEqual([line])
  expect(linesOf(Buffer.from(`${line}\r\n`), [65537])).toEqual([line])
})

test('a part of a line that was flushed comes by itself when nothing follows', async () => {
  const lines: string[] = []
  const splitter = new LineSplitter((line) => lines.push(line))
  splitter.push(Buffer.from('whole\npart'))
  expect(lines).toEqual(['whole'])
  await vi.waitFor(() => expect(lines).toEqual(['whole', 'part']), 25_000)
  splitter.push(Buffer.from('next\n'))
  splitter.end()
  expect(lines).toEqual(['whole', 'part', 'next'])
})
