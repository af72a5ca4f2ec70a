/** `node:path` in a page: paths of POSIX. */

export function isAbsolute(path: string): boolean {
  return path.startsWith('/')
}

export function join(...parts: string[]): string {
  return normal(parts.join('/'))
}

export function resolve(...parts: string[]): string {
  let whole = ''
  for (const part of parts) whole = isAbsolute(part) ? part : `${whole}/${part}`
  return normal(whole)
}

export function dirname(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0)) || '/'
}

export function extname(path: string): string {
  return /[^/]\.[^./]*$/.exec(path)?.[0].slice(1) ?? ''
}

function normal(path: string): string {
  const kept: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') kept.pop()
    else if (part !== '' && part !== '.') kept.push(part)
  }
  return `${path.startsWith('/') ? '/' : ''}${kept.join('/')}`
}
