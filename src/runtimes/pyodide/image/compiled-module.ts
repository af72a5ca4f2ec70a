import { open } from 'node:fs/promises'
import { setFlagsFromString } from 'node:v8'
import { fill } from './snapshot-file.ts'

/**
 * Compiles a WebAssembly file. V8 keeps a copy of the file, so ours is released at once: an
 * acceptor may not collect garbage for a long time.
 */
export async function compileModule(path: string): Promise<WebAssembly.Module> {
  const file = await open(path)
  try {
    const wasm = new Uint8Array((await file.stat()).size)
    await fill(file, wasm, 0)
    const module = await withTieringBudget(() => WebAssembly.compile(wasm))
    structuredClone(null, { transfer: [wasm.buffer] })
    return module
  } finally {
    await file.close()
  }
}

/**
 * How much of a function V8 executes before it optimises it, in bytes of WebAssembly. With the
 * default of Node 20, a third of the processor time of a start goes into functions that are hardly
 * used again (docs/performance.md). Since Node 22 the default is 13,000,000, and a larger budget
 * gains nothing.
 */
const TIERING_BUDGET = 60_000_000
const TIERING_BUDGET_OF_NODE_20 = 1_800_000

/**
 * A module keeps the budget that was in force when it was compiled. Other modules in this process,
 * which may not be Monoceros's, get the default.
 */
async function withTieringBudget(
  compile: () => Promise<WebAssembly.Module>,
): Promise<WebAssembly.Module> {
  const chosen = process.execArgv.some((option) =>
    option.replaceAll('_', '-').startsWith('--wasm-tiering-budget'),
  )
  if (chosen || !process.versions.node.startsWith('20.')) return compile()
  setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET}`)
  try {
    return await compile()
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${TIERING_BUDGET_OF_NODE_20}`)
  }
}
