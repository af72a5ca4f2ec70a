import fc from 'fast-check'
import { expect, test } from 'vitest'
import { latin1Bytes, latin1Text, PageBuffer } from './node-buffer.ts'

const bytes = fc.uint8Array({ maxLength: 40 })

test('is what Node.js has, as far as the engine uses it', () => {
  fc.assert(
    fc.property(bytes, bytes, fc.nat(50), fc.nat(50), (one, other, start, end) => {
      const ours = PageBuffer.from(one)
      const nodes = Buffer.from(one)
      for (const encoding of ['latin1', 'utf8'] as const)
        expect(ours.toString(encoding, start, end)).toBe(nodes.toString(encoding, start, end))
      expect(ours.latin1Slice()).toBe(nodes.toString('latin1'))
      expect([...PageBuffer.concat([ours, other])]).toEqual([...Buffer.concat([nodes, other])])
      expect(ours.equals(other)).toBe(nodes.equals(other))
      const view = PageBuffer.from(ours.buffer, ours.byteOffset, ours.byteLength)
      view.fill(1)
      expect([...ours]).toEqual([...view])
    }),
  )
})

test('makes bytes of text as Node.js does', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const encoding of ['latin1', 'utf8'] as const)
        expect([...PageBuffer.from(text, encoding)]).toEqual([...Buffer.from(text, encoding)])
      expect(latin1Text(latin1Bytes(text))).toBe(Buffer.from(text, 'latin1').toString('latin1'))
    }),
  )
})
