/** A log without what it says of slow starts: how long one takes is the machine's affair. */
export function withoutSlowStarts(log: string): string {
  // A stack may follow, indented.
  return log.replace(/^.*\[MONO2021\].*(?:\n[ \t].*)*\n?/gm, '')
}
