import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { repository } from './build.ts'

/** The suite's own cache of the embedded interpreter, `MONOCEROS_CACHE` for all that it starts. */
export const interpreterCache = join(repository, 'tests', '.cache', 'interpreter')

/**
 * Makes the snapshot that interpreters start from, unless it is there: without it each start takes
 * a second more of a processor.
 */
export async function prepareInterpreterCache(): Promise<void> {
  const image = join(repository, 'dist', 'runtimes', 'pyodide', 'image', 'image.js')
  const code = `
const { keepSnapshot } = await import(${JSON.stringify(image)})
const alive = setInterval(() => {}, 1000)
const outcome = await keepSnapshot({ MONOCEROS_CACHE: ${JSON.stringify(interpreterCache)} })
clearInterval(alive)
if (outcome.kind === 'failed') throw new Error(outcome.reason)
`
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
}

/** Puts that snapshot into another cache folder, for who starts with one of their own. */
export function copySnapshots(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(interpreterCache)) {
    // With the source's mode: a snapshot that others may read is not used.
    if (name.endsWith('.snapshot')) copyFileSync(join(interpreterCache, name), join(folder, name))
  }
}
