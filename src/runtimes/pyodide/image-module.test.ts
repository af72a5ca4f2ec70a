import { afterEach, expect, test } from 'vitest'
import { shareModule } from './image-module.ts'

// (module (memory (export "memory") 1))
const small = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0],
  ...[5, 3, 1, 0, 1],
  ...[7, 10, 1, 6, ...Buffer.from('memory'), 2, 0],
)
const large = new Uint8Array(5 * 1024 * 1024)
const original = WebAssembly.instantiate

afterEach(() => {
  WebAssembly.instantiate = original
})

function bytesOf(instance: WebAssembly.Instance): number {
  return (instance.exports.memory as WebAssembly.Memory).buffer.byteLength
}

test('the module that was compiled stands in for the large one, and no other', async () => {
  const module = await WebAssembly.compile(small)
  shareModule(module)
  // Zeros are no module: had they been compiled, this would be rejected.
  const main = await WebAssembly.instantiate(large)
  expect(main.module).toBe(module)
  expect(bytesOf(main.instance)).toBe(65_536)
  const other = await WebAssembly.instantiate(small)
  expect(other.module).not.toBe(module)
  expect(await WebAssembly.instantiate(module)).toBeInstanceOf(WebAssembly.Instance)
})

test('there is room for a snapshot that is larger than a fresh memory', async () => {
  shareModule(await WebAssembly.compile(small), 3 * 65_536 - 1000)
  expect(bytesOf((await WebAssembly.instantiate(large)).instance)).toBe(3 * 65_536)
})
