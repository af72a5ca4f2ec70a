import type { ProfiledFunction } from './findings.ts'

/** Called like a function: the time in which a stack waited. */
export const WAITING = '(waiting)'

/** A time in microseconds: `1.5 ms`, `2.04 s`. */
export function timeLabel(microseconds: number): string {
  return microseconds < 1e6
    ? `${(microseconds / 1000).toFixed(1)} ms`
    : `${(microseconds / 1e6).toFixed(2)} s`
}

/** How a function is called where space is short: `render (views.py)`. */
export function functionLabel([name, file]: ProfiledFunction): string {
  const short = shortFile(file)
  return short === '' ? name : `${name} (${short})`
}

/** The end of a path: of a package's `__init__.py` and the like, with its folder. */
function shortFile(file: string): string {
  const parts = file.split('/')
  const last = parts.pop() ?? ''
  const folder = parts.pop()
  return /^(__init__|__main__|index)\./.test(last) && folder ? `${folder}/${last}` : last
}
