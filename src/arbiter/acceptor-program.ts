import { fileURLToPath } from 'node:url'

/** The program of an acceptor: always the compiled one, because Node cannot run the sources. */
export function defaultProgram(): string {
  const compiled = import.meta.url.endsWith('.ts')
    ? '../../dist/acceptor/process.js'
    : '../acceptor/process.js'
  return fileURLToPath(new URL(compiled, import.meta.url))
}
