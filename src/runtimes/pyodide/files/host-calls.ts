import type { Emscripten, ErrnoError } from './emscripten.ts'

/** Calls of node:fs on behalf of Emscripten, which has errors of its own. */
export class HostCalls {
  readonly #emscripten: Emscripten

  constructor(emscripten: Emscripten) {
    this.#emscripten = emscripten
  }

  /** Calls node:fs, and turns its errors into Emscripten's. */
  run<T>(call: () => T): T {
    try {
      return call()
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === undefined) throw error
      if (code === 'ERR_INVALID_ARG_VALUE' || code === 'ERR_OUT_OF_RANGE')
        throw this.error('EINVAL')
      throw this.error(code)
    }
  }

  /** Emscripten's error for a code such as `ENOENT`. A code that it does not have becomes EIO. */
  error(code: string): ErrnoError {
    const { ERRNO_CODES, FS } = this.#emscripten
    return new FS.ErrnoError(ERRNO_CODES[code] ?? (ERRNO_CODES.EIO as number))
  }
}
