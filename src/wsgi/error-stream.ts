import type { ErrorStream } from './types.ts'

/**
 * Makes a `wsgi.errors` that passes its text to a function.
 *
 * @param write takes text, not always a whole line
 * @example errorStream((text) => process.stderr.write(text))
 */
export function errorStream(write: (text: string) => void): ErrorStream {
  return {
    write: (text) => write(String(text)),
    writelines: (lines) => {
      for (const line of lines) write(String(line))
    },
    flush: () => {},
  }
}

/** A `wsgi.errors` that writes to the console, one line for each call. */
export const consoleErrors: ErrorStream = errorStream((text) => {
  if (text !== '') console.error(text.replace(/\n$/, ''))
})
