import { describe, expect, it } from 'vitest'
import { Span } from '../../bytes/span.ts'
import { FrameError } from './frames.ts'
import {
  readFileReference,
  readNumber,
  readReady,
  readStreams,
  readText,
  readViolation,
} from './payloads.ts'

/** A payload in the middle of other bytes. */
function payload(content: unknown): Span {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content))
  const all = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')])
  return new Span().set(all, 6, 6 + bytes.length)
}

it('text is UTF-8', () => {
  expect(readText(payload(Buffer.from('Grüße')))).toBe('Grüße')
})

it('a number is four bytes', () => {
  expect(readNumber(payload(Buffer.from([1, 2, 0, 0])), 'SUSPENDED')).toBe(513)
  expect(() => readNumber(payload(Buffer.from([1])), 'SUSPENDED')).toThrow(/^a SUSPENDED that/)
})

it('streams are numbers of four bytes, in order', () => {
  expect(readStreams(payload(Buffer.from([7, 0, 0, 0, 2, 1, 0, 0])))).toEqual([7, 258])
  expect(readStreams(payload(Buffer.alloc(0)))).toEqual([])
  expect(() => readStreams(payload(Buffer.alloc(6)))).toThrow(FrameError)
})

describe('READY', () => {
  const ready = { protocol: 4, pid: 5, python: '3.14.2', implementation: 'CPython' }

  it('has what the log needs', () => {
    expect(readReady(payload({ ...ready, files: ['/a.py', 3] }))).toEqual({
      pid: 5,
      pythonVersion: '3.14.2',
      implementation: 'CPython',
      greenlets: false,
      files: ['/a.py'],
    })
    expect(readReady(payload({ ...ready, greenlets: true })).greenlets).toBe(true)
  })

  it.each([{ ...ready, protocol: 1 }, { ...ready, pid: '5' }, { protocol: 4 }, 5, null, []])(
    'is not %j',
    (value) => {
      expect(() => readReady(payload(value))).toThrow(FrameError)
    },
  )
})

it('a violation has a rule and a text', () => {
  expect(readViolation(payload({ rule: 'a', text: 'b', more: 1 }))).toEqual({
    rule: 'a',
    text: 'b',
  })
  for (const value of [{ rule: 'a' }, { rule: 1, text: 'b' }, null, 'text'])
    expect(() => readViolation(payload(value))).toThrow(FrameError)
})

describe('a file reference', () => {
  const file = { path: '/a', device: 1, inode: 2 ** 60, offset: 0, length: 5 }

  it('names a part of a file', () => {
    expect(readFileReference(payload(file))).toEqual(file)
  })

  it.each([
    { ...file, path: 1 },
    { ...file, device: -1 },
    { ...file, offset: 0.5 },
    { ...file, length: 2 ** 60 },
    { path: '/a' },
    null,
  ])('is not %j', (value) => {
    expect(() => readFileReference(payload(value))).toThrow(FrameError)
  })
})

it('what is not JSON is refused', () => {
  expect(() => readReady(payload(Buffer.from('{')))).toThrow(/^a payload that is not JSON$/)
})
