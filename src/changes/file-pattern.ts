import { resolve, sep } from 'node:path'

/** A file name with wildcards, as `reload_extra_files` has them. */
export interface FilePattern {
  /** The folder or file to watch: the pattern up to its first wildcard. */
  readonly base: string
  /** Whether an absolute path matches. */
  matches(path: string): boolean
}

const WILDCARDS = /[*?[]/

/**
 * Reads a pattern: `*` and `?` match within a name, `**` as a whole name matches any number of
 * folders, `[abc]` and `[!abc]` match one character.
 *
 * @param directory what a relative pattern starts from
 * @example filePattern('locale/**' + '/*.mo', '/srv').matches('/srv/locale/de/LC/site.mo') // true
 */
export function filePattern(pattern: string, directory: string): FilePattern {
  const absolute = resolve(directory, pattern)
  const names = absolute.split(sep)
  const first = names.findIndex((name) => WILDCARDS.test(name))
  if (first === -1) return { base: absolute, matches: (path) => path === absolute }
  const base = names.slice(0, first).join(sep) || sep
  const rest = names.slice(first)
  const expression = new RegExp(
    `^${quotedRegExp(base === sep ? '' : base)}${rest.map(expressionOf).join('')}$`,
  )
  return { base, matches: (path) => expression.test(path) }
}

function expressionOf(name: string, index: number, all: readonly string[]): string {
  const isLast = index === all.length - 1
  if (name === '**') return isLast ? '(?:/.*)?' : '(?:/[^/]+)*'
  let expression = '/'
  for (let at = 0; at < name.length; at++) {
    const character = name[at]!
    const set = character === '[' ? /^\[(!?)([^\]/]+)\]/.exec(name.slice(at)) : null
    if (character === '*') expression += '[^/]*'
    else if (character === '?') expression += '[^/]'
    else if (set !== null) {
      expression += `[${set[1] === '!' ? '^/' : ''}${set[2]!.replace(/[\\^[]/g, '\\$&')}]`
      at += set[0].length - 1
    } else expression += quotedRegExp(character)
  }
  return expression
}

function quotedRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
