/** The most memory that there can be, in bytes. */
export const WEBASSEMBLY_MOST = 4 * 1024 ** 3

/** Says which limit it is: the setting's, or that of WebAssembly. */
export function memoryLimitText(limit: number): string {
  return limit === WEBASSEMBLY_MOST
    ? `WebAssembly has ${mebibytes(limit)} at most, and the machine may have less`
    : `worker_memory ${mebibytes(limit)}`
}

/** For people, rounded up: `96 MiB`. */
export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`
}
