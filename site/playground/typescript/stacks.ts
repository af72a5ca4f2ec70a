/** The blob: URLs of the reader's files, and their names. */
const names = new Map<string, string>()

export function nameUrl(url: string, name: string): void {
  names.set(url, name)
}

export function forgetUrls(): void {
  for (const url of names.keys()) URL.revokeObjectURL(url)
  names.clear()
}

/** Frames of the page, and of what the browser calls by itself: the mistake is not there. */
const NOT_THEIRS = /^\s+at .*(https?:|blob:|\/parts\/|typescript-worker|<anonymous>\)?$)/
/** The same, as Firefox and Safari write them. */
const NOT_THEIRS_EITHER = /^\S*(?: code)?@(?:https?:|blob:|\[native code)/

/** A stack with the reader's own frames only, by the names of the files. */
export function readableStack(text: string): string {
  let readable = text
  for (const [url, name] of names) readable = readable.replaceAll(url, name)
  return readable
    .split('\n')
    .filter((line) => !NOT_THEIRS.test(line) && !NOT_THEIRS_EITHER.test(line))
    .join('\n')
}

/** An error as the server logs it. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const stack = error.stack ?? ''
  // Firefox and Safari have no message in the stack.
  const whole = stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`
  return readableStack(whole).trimEnd()
}
