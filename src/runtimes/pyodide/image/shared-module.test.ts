import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { pyodideFile } from '../package.ts'
import { shareModule } from './shared-module.ts'

// (module (memory (export "memory") 1))
const small = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0],
  ...[5, 3, 1, 0, 1],
  ...[7, 10, 1, 6, ...Buffer.from('memory'), 2, 0],
)
const archive = fileURLToPath(import.meta.url)
const original = WebAssembly.instantiate
let end = () => {}

afterEach(() => {
  end()
  WebAssembly.instantiate = original
})

/** As Pyodide does it. */
async function instantiateMain() {
  const { buffer, byteOffset, byteLength } = await readFile(pyodideFile('pyodide.asm.wasm'))
  return await WebAssembly.instantiate(
    new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength),
  )
}

function bytesOf(instance: WebAssembly.Instance): number {
  return (instance.exports.memory as WebAssembly.Memory).buffer.byteLength
}

test("the module that was compiled stands in for Pyodide's, and for no other", async () => {
  const module = await WebAssembly.compile(small)
  end = shareModule(module, archive)
  const main = await instantiateMain()
  expect(main.module).toBe(module)
  expect(bytesOf(main.instance)).toBe(65_536)
  const other = await WebAssembly.instantiate(small)
  expect(other.module).not.toBe(module)
  expect(await WebAssembly.instantiate(module)).toBeInstanceOf(WebAssembly.Instance)
})

test('neither the module nor the archive is read, all else is, and everything when that has ended', async () => {
  end = shareModule(await WebAssembly.compile(small), archive)
  expect((await readFile(pyodideFile('pyodide.asm.wasm'))).length).toBeLessThan(100)
  expect((await readFile(archive)).length).toBeLessThan(100)
  const { length } = await readFile(pyodideFile('pyodide.mjs'))
  expect(length).toBeGreaterThan(10_000)
  end()
  expect((await readFile(pyodideFile('pyodide.asm.wasm'))).length).toBeGreaterThan(1_000_000)
  expect(await readFile(archive, 'utf8')).toContain('neither the module')
})

test('there is space for a snapshot that is larger than a fresh memory', async () => {
  end = shareModule(await WebAssembly.compile(small), archive, 3 * 65_536 - 1000)
  expect(bytesOf((await instantiateMain()).instance)).toBe(3 * 65_536)
})
