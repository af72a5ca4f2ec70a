/** The most memory that WebAssembly allows, in bytes. */
export const WEBASSEMBLY_MOST = 4 * 1024 ** 3

/**
 * The stack of a thread with an interpreter, in MiB (`resourceLimits.stackSizeMb`). It is so large
 * that Python's own limits apply first and deep nesting raises RecursionError: with Node's 4 MiB,
 * `json.loads("[" * 20000)` ends the interpreter. Only the part that is used takes memory.
 */
export const STACK_MB = 64

/**
 * The space for new JavaScript objects in such a thread, in MiB
 * (`resourceLimits.maxYoungGenerationSizeMb`). There are few, because Python's objects are in
 * WebAssembly's memory. By default the space grows to 12 while Pyodide starts, and stays.
 */
export const YOUNG_GENERATION_MB = 6

/** Which limit applies: the setting's, or that of WebAssembly. */
export function memoryLimitText(limit: number): string {
  return limit === WEBASSEMBLY_MOST
    ? `WebAssembly allows at most ${mebibytes(limit)}, and the machine may have less`
    : `worker_memory ${mebibytes(limit)}`
}

/** A number of bytes for a message, rounded up: `96 MiB`. */
export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`
}
