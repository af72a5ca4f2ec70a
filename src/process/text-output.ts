/** Where a command writes text: `process.stdout`, `process.stderr`, or a collector in tests. */
export interface TextOutput {
  /** Writes text, or bytes that somebody wants there instead of in a file. */
  write(text: string | Uint8Array): unknown
  /** The width of the terminal in characters; undefined if the output is not a terminal. */
  readonly columns?: number | undefined
}
