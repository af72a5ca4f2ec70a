import type { ErrorStream } from './types.ts'

/**
 * `wsgi.errors` over anything that takes text.
 *
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

/** `wsgi.errors` that goes to the console, a line a call. */
export const consoleErrors: ErrorStream = errorStream((text) => {
  if (text !== '') console.error(text.replace(/\n$/, ''))
})
