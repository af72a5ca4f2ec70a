import { describe, expect, it } from 'vitest'
import { Span } from '../../bytes/span.ts'
import { FixedLengthBody } from './fixed-length-body.ts'

function receive(
  body: FixedLengthBody,
  chunk: Buffer,
  start = 0,
  end = chunk.length,
): [number, Buffer[]] {
  const parts: Buffer[] = []
  const span = new Span().set(chunk, start, end)
  body.receive(span, (data) => parts.push(data))
  return [span.start - start, parts]
}

describe('a body of a fixed length', () => {
  it('takes its bytes and no more', () => {
    const body = new FixedLengthBody(5)
    const [taken, parts] = receive(body, Buffer.from('helloGET /'))
    expect(taken).toBe(5)
    expect(parts.map(String)).toEqual(['hello'])
    expect(body.done).toBe(true)
  })

  it('may come in pieces, out of the middle of a chunk', () => {
    const body = new FixedLengthBody(5)
    expect(receive(body, Buffer.from('..hel..'), 2, 5)[1].map(String)).toEqual(['hel'])
    expect(body.done).toBe(false)
    expect(body.remaining).toBe(2)
    expect(receive(body, Buffer.from('.lo.'), 1, 4)).toEqual([2, [Buffer.from('lo')]])
    expect(body.done).toBe(true)
  })

  it('is handed on as views of what arrived, never empty ones', () => {
    const body = new FixedLengthBody(3)
    const chunk = Buffer.from('abcd')
    expect(receive(body, chunk, 2, 2)).toEqual([0, []])
    const [, [view]] = receive(body, chunk)
    expect(view!.buffer).toBe(chunk.buffer)
    expect(receive(body, chunk)).toEqual([0, []])
  })

  it('of no length is done from the start', () => {
    const body = new FixedLengthBody(0)
    expect(body.done).toBe(true)
    expect(receive(body, Buffer.from('GET'))).toEqual([0, []])
  })

  it('may be longer than memory', () => {
    const body = new FixedLengthBody(Number.MAX_SAFE_INTEGER)
    expect(receive(body, Buffer.from('abc'))[0]).toBe(3)
    expect(body.remaining).toBe(Number.MAX_SAFE_INTEGER - 3)
  })
})
