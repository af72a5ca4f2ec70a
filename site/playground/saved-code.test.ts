import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SavedCode } from './saved-code.ts'

class Memory {
  readonly values = new Map<string, string>()
  getItem = (key: string) => this.values.get(key) ?? null
  setItem = (key: string, value: string) => {
    this.values.set(key, value)
  }
  removeItem = (key: string) => {
    this.values.delete(key)
  }
}

const KEY = 'monoceros-tutorial-1'

describe('what the reader has written', () => {
  test('is kept by step and language', () => {
    const memory = new Memory()
    new SavedCode(memory).write(1, 'python', { 'hello.py': 'a' })
    new SavedCode(memory).write(2, 'python', { 'append.py': 'b' })
    const saved = new SavedCode(memory)
    expect(saved.read(1, 'python')).toEqual({ 'hello.py': 'a' })
    expect(saved.read(2, 'python')).toEqual({ 'append.py': 'b' })
    expect(saved.read(1, 'typescript')).toEqual({})
  })

  test('leaves nothing behind when all of it is as in the tutorial again', () => {
    const memory = new Memory()
    const saved = new SavedCode(memory)
    saved.write(1, 'python', { 'hello.py': 'a' })
    saved.write(1, 'python', {})
    expect(memory.values.size).toBe(0)
  })

  test('is bounded: what is too much is not kept, and the rest stays', () => {
    const memory = new Memory()
    const saved = new SavedCode(memory)
    const long = 'x'.repeat(32 * 1024)
    const kept = Array.from({ length: 8 }, (_, index) => {
      const files = Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`${name}.py`, long]))
      return saved.write(index + 1, 'python', files)
    })
    expect(kept).toContain(true)
    expect(kept.at(-1)).toBe(false)
    expect(memory.values.get(KEY)!.length).toBeLessThanOrEqual(512 * 1024)
    expect(saved.read(1, 'python')['a.py']).toBe(long)
  })

  test('is nothing if the storage has anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        const memory = new Memory()
        memory.setItem(KEY, text)
        const saved = new SavedCode(memory)
        expect(saved.read(1, 'python')).toEqual({})
        expect(saved.write(1, 'python', { 'hello.py': 'a' })).toBe(true)
        expect(saved.read(1, 'python')).toEqual({ 'hello.py': 'a' })
      }),
    )
  })

  test('without a storage nothing is kept, and nothing fails', () => {
    const saved = new SavedCode(null)
    expect(saved.write(1, 'python', { 'hello.py': 'a' })).toBe(false)
    expect(saved.read(1, 'python')).toEqual({})
    const full = Object.assign(new Memory(), {
      setItem: () => {
        throw new Error('QuotaExceededError')
      },
    })
    expect(new SavedCode(full).write(1, 'python', { 'hello.py': 'a' })).toBe(false)
  })
})
