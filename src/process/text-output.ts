/** Where a command writes text: `process.stdout`, `process.stderr`, or a collector in tests. */
export interface TextOutput {
  write(text: string): unknown
  /** The width of the terminal in characters; undefined if the output is not a terminal. */
  readonly columns?: number | undefined
}
