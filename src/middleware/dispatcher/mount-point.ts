import { optionError } from '../option-error.ts'

/** A parsed key of the dispatcher's mounts. */
export interface MountPoint {
  /** In lower case; `''` for any host. */
  readonly host: string
  /** The mount is for all subdomains of `host`, and not for `host` itself. */
  readonly wildcard: boolean
  /** Begins with a slash and does not end with one; `''` for the whole host. */
  readonly path: string
}

const HOST_NAME = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/
const BRACKETED = /^\[[0-9a-f:.]+\]$/

/**
 * Parses a key of the dispatcher's mounts.
 *
 * @throws RangeError (`bad-option`) for a key that no request could match
 * @example
 * parseMountPoint('*.example.com/api')
 * // { host: 'example.com', wildcard: true, path: '/api' }
 */
export function parseMountPoint(key: string): MountPoint {
  if (key === '' || key === '/') {
    throw bad(
      key,
      'matches every path; pass the application as the fallback, the first argument of dispatcher',
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
      `must not end with a slash: ${JSON.stringify(without)} matches all paths below it too`,
    )
  }
  const segments = path.slice(1).split('/')
  if (segments.includes('')) throw bad(key, 'has an empty segment; write single slashes')
  if (segments.includes('.') || segments.includes('..')) {
    throw bad(key, 'has a "." or ".." segment; write the path without it')
  }
  if (/[?#]/.test(path)) throw bad(key, 'has a query or a fragment; a mount is a path only')
  if (/%[0-9a-f]{2}/i.test(path)) {
    throw bad(key, 'is percent-encoded; write it decoded, like PATH_INFO')
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it looks for control characters
  if (/[\x00-\x1f\x7f]/.test(path)) throw bad(key, 'has a control character')
  return path
}

function checkHost(text: string, key: string): string {
  const host = text.toLowerCase()
  if (host.startsWith('[')) {
    if (BRACKETED.test(host)) {
      // The URL parser checks the IPv6 address and gives its normal form, which clients send.
      if (URL.canParse(`http://${host}`)) return new URL(`http://${host}`).hostname
    } else if (/^\[[^\]]*\]:/.test(host)) {
      throw bad(key, 'has a port; leave it out, because hosts are compared without their ports')
    }
    throw bad(key, 'must have an IPv6 address in its brackets')
  }
  if (host.includes(':')) {
    throw bad(
      key,
      'has a port; leave it out, because hosts are compared without their ports ' +
        '(write an IPv6 address in brackets)',
    )
  }
  if (host.includes('*'))
    throw bad(key, 'may have a * only as its first label, as in "*.example.com"')
  if (/[^\x20-\x7e]/.test(host) && URL.canParse(`http://${host}`)) {
    const { hostname } = new URL(`http://${host}`)
    throw bad(key, `must have the host name that clients send: ${JSON.stringify(hostname)}`)
  }
  if (!HOST_NAME.test(host))
    throw bad(key, 'is neither a path, which begins with a slash, nor a host name')
  return host
}

function bad(key: string, why: string): Error {
  return optionError(RangeError, `dispatcher: the mount ${JSON.stringify(key)} ${why}`)
}
