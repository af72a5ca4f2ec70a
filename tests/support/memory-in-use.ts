import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from './wait-for.ts'

/** Runs in each process of Node.js of a server: a file asks it, and it answers with another. */
const PROGRAM = `
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const file = (name) => new URL(name + '-' + process.pid, import.meta.url)
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
setInterval(() => {
  if (!existsSync(file('ask'))) return
  rmSync(file('ask'))
  for (let i = 0; i < 3; i++) collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  writeFileSync(file('telling'), String(heapUsed + external))
  renameSync(file('telling'), file('told'))
}, 50).unref()
`

/**
 * Measures what processes of a server have in use when nothing can be collected any more. Resident
 * memory has garbage besides, of which V8 lets tens of megabytes come together when it likes.
 *
 * @example
 * const memory = new MemoryInUse(folder.path)
 * const server = await startServer({ app, env: memory.env })
 * const before = await memory.of(server.pid)
 */
export class MemoryInUse {
  /** What the server has to have in its environment. */
  readonly env: { readonly NODE_OPTIONS: string }
  readonly #folder: string

  /** @param folder for its files; it is there as long as the server */
  constructor(folder: string) {
    this.#folder = folder
    const program = join(folder, 'memory-in-use.mjs')
    writeFileSync(program, PROGRAM)
    this.env = { NODE_OPTIONS: `--import=${program}` }
  }

  /** Resolves with what that process has in use, in bytes. */
  async of(pid: number): Promise<number> {
    const told = join(this.#folder, `told-${pid}`)
    writeFileSync(join(this.#folder, `ask-${pid}`), '')
    await waitFor('the memory in use', () => existsSync(told))
    const bytes = Number(readFileSync(told, 'utf8'))
    rmSync(told)
    return bytes
  }
}
