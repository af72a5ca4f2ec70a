import { ownFile } from '../own-files/own-files.ts'

/** The program of an acceptor: always the compiled one, because Node cannot run the sources. */
export function defaultProgram(): string {
  return ownFile('dist/acceptor/process.js')
}
