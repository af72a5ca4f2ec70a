import { optionError } from '../option-error.ts'

/** A key of the dispatcher's mounts, taken apart. */
export interface MountPoint {
  /** In lower case; `''` for any host. */
  readonly host: string
  /** The mount is for all names below `host`, and not for itself. */
  readonly wildcard: boolean
  /** From its slash on, with none at its end; `''` for the whole host. */
  readonly path: string
}

const HOST_NAME = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/
const BRACKETED = /^\[[0-9a-f:.]+\]$/

/**
 * Takes a key apart.
 *
 * @throws RangeError (`bad-option`) for one that no request could match
 * @example parseMountPoint('*.example.com/api') // { host: 'example.com', wildcard: true, path: '/api' }
 */
export function parseMountPoint(key: string): MountPoint {
  if (key === '' || key === '/') {
    throw bad(
      key,
      'is every path; what is for every path is the fallback, the first argument of dispatcher',
    )
  }
  const explicit = key.startsWith('//')
  if (key.startsWith('/') && !explicit)
    return { host: '', wildcard: false, path: checkPath(key, key) }

  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(key)) throw bad(key, 'has a scheme; write the host name only')
  const rest = explicit ? key.slice(2) : key
  const slash = rest.indexOf('/')
  const authority = slash === -1 ? rest : rest.slice(0, slash)
  const path = slash === -1 ? '' : checkPath(rest.slice(slash), key)
  const wildcard = authority.startsWith('*.')
  const host = checkHost(wildcard ? authority.slice(2) : authority, key)
  if (
    !explicit &&
    !wildcard &&
    !host.includes('.') &&
    !host.startsWith('[') &&
    host !== 'localhost'
  ) {
    throw bad(key, `must begin with a slash: "/${key}"; for the host of that name write "//${key}"`)
  }
  return { host, wildcard, path }
}

function checkPath(path: string, key: string): string {
  if (path.endsWith('/')) {
    const without = key.replace(/\/+$/, '')
    throw bad(
      key,
      `must not end in a slash: ${JSON.stringify(without)} takes what is below it, too`,
    )
  }
  const segments = path.slice(1).split('/')
  if (segments.includes('')) throw bad(key, 'has an empty segment; write single slashes')
  if (segments.includes('.') || segments.includes('..')) {
    throw bad(key, 'has a "." or ".." segment; write the path without')
  }
  if (/[?#]/.test(path)) throw bad(key, 'has a query or a fragment; a mount is a path only')
  if (/%[0-9a-f]{2}/i.test(path)) {
    throw bad(key, 'is percent-encoded; write it decoded, as PATH_INFO is')
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
  if (/[\x00-\x1f\x7f]/.test(path)) throw bad(key, 'has a control character')
  return path
}

function checkHost(text: string, key: string): string {
  const host = text.toLowerCase()
  if (host.startsWith('[')) {
    if (BRACKETED.test(host)) {
      // The URL parser knows what an IPv6 address is, and gives its one normal form, which is what
      // clients send.
      if (URL.canParse(`http://${host}`)) return new URL(`http://${host}`).hostname
    } else if (/^\[[^\]]*\]:/.test(host)) {
      throw bad(key, 'has a port; hosts are compared without')
    }
    throw bad(key, 'has no IPv6 address in its brackets')
  }
  if (host.includes(':')) {
    throw bad(key, 'has a port; hosts are compared without (an IPv6 address stands in brackets)')
  }
  if (host.includes('*'))
    throw bad(key, 'may have a * only as its first label, as in "*.example.com"')
  if (/[^\x20-\x7e]/.test(host) && URL.canParse(`http://${host}`)) {
    const { hostname } = new URL(`http://${host}`)
    throw bad(key, `must have its host name as clients send it: ${JSON.stringify(hostname)}`)
  }
  if (!HOST_NAME.test(host))
    throw bad(key, 'is neither a path, which begins with a slash, nor a host name')
  return host
}

function bad(key: string, why: string): Error {
  return optionError(RangeError, `dispatcher: the mount ${JSON.stringify(key)} ${why}`)
}
