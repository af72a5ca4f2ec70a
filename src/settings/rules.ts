/** Rules that some settings have beyond their type. */
import { statSync } from 'node:fs'
import { isIP } from 'node:net'
import { AccessFormatError, compileAccessFormat } from '../logging/access-format.ts'
import { parseStatsdAddress } from '../logging/statsd-address.ts'
import { parseSyslogAddress } from '../logging/syslog-address.ts'
import { parseRatePolicy } from '../rate-limit/rate-policy.ts'
import { findGroup, findUser } from './accounts.ts'
import { type BindAddress, BindAddressError, isAbstract, parseBindAddress } from './bind-address.ts'
import type { RuleName } from './definition.ts'
import { readWorkerClass } from './worker-class.ts'

type Value = unknown

/**
 * Checks a value and brings it into its final form.
 *
 * @returns the value to use; or what was expected; or why it is refused, in words that name it
 */
export type SettingRule = (
  value: Value,
) => { readonly value: Value } | { readonly expected: string } | { readonly refused: string }

export const rules: Readonly<Record<RuleName, SettingRule>> = {
  /** RFC 9110 §5.5, narrowed to visible ASCII and single spaces within. */
  'header-text': (value) =>
    typeof value === 'string' && /^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(value)
      ? { value }
      : { expected: 'visible ASCII characters, with single spaces between them' },

  /**
   * The prefix is compared with undecoded paths and becomes SCRIPT_NAME (PEP 3333: empty, or begins
   * with a slash).
   */
  'root-path': (value) => {
    const prefix = String(value).replace(/\/+$/, '')
    if (prefix === '' || /^\/[\x21-\x7e]*$/.test(prefix)) {
      if (!/[?#]|\/\//.test(prefix)) return { value: prefix }
    }
    return { expected: 'a path that begins with a slash, such as /shop, without "//", "?" or "#"' }
  },

  'plain-addresses': (value) => {
    const wrong = (value as readonly BindAddress[]).some(
      (one) => one.tls || one.kind === 'fd' || (one.kind === 'unix' && isAbstract(one.path)),
    )
    return wrong ? { expected: 'HOST:PORT, [IPV6]:PORT or unix:PATH, without TLS' } : { value }
  },

  'url-path': (value) =>
    value === null || /^\/(?:(?![?#%])[\x21-\x7e])*$/.test(String(value))
      ? { value }
      : { expected: 'a path that begins with a slash, such as /healthz, without "?", "#" or "%"' },

  'access-log-format': (value) => {
    try {
      compileAccessFormat(String(value))
      return { value }
    } catch (error) {
      if (error instanceof AccessFormatError)
        return { expected: `an access log format: ${error.message}` }
      throw error
    }
  },

  'syslog-address': (value) =>
    parseSyslogAddress(String(value)) !== null
      ? { value }
      : { expected: 'udp://HOST:PORT, tcp://HOST:PORT, or unix://PATH with #dgram or #stream' },

  'statsd-address': (value) =>
    value === null || parseStatsdAddress(String(value)) !== null
      ? { value }
      : { expected: 'HOST:PORT or unix://PATH' },

  /** Written as an origin is (RFC 6454 §6.2), so that a path can follow. */
  'http-origins': (value) => {
    const urls = (value as readonly string[]).map((url) => url.replace(/\/$/, ''))
    const isOrigin = (url: string) => /^https?:\/\/[^/?#@\s]+$/.test(url) && URL.canParse(url)
    return urls.length <= 16 && urls.every(isOrigin)
      ? { value: urls }
      : { expected: 'at most 16 addresses such as http://10.0.0.2:9400, without a path' }
  },

  /** It becomes a part of a message in a protocol of lines. */
  'one-line': (value) =>
    value === null || /^[\x20-\x7e]*$/.test(String(value))
      ? { value }
      : { expected: 'printable ASCII characters' },

  networks: (value) =>
    (value as readonly string[]).every((network) => network === '*' || isNetwork(network))
      ? { value }
      : {
          expected:
            'addresses such as 10.0.0.1 or ::1, networks such as 10.0.0.0/8, or * ' +
            '(names are not looked up)',
        },

  'rate-limit': (value) => {
    const wrong = (value as readonly string[]).find((text) => parseRatePolicy(text) === null)
    return wrong === undefined
      ? { value }
      : { expected: 'rates such as 20/s, 100/m or 20/s:burst=40 (units: s, m, h, d)' }
  },

  'redis-url': (value) =>
    value === null || (URL.canParse(String(value)) && /^rediss?:\/\/[^/]/.test(String(value)))
      ? { value }
      : { expected: 'redis://HOST:PORT/DATABASE or rediss://HOST:PORT/DATABASE' },

  hosts: (value) => {
    const wrong = (value as readonly string[]).find((host) => !isHost(host))
    return wrong === undefined
      ? { value }
      : {
          expected:
            'names such as example.com, .example.org for a domain with all below it, addresses, ' +
            'networks such as 10.0.0.0/8, or *, all without a port',
        }
  },

  environment: (value) =>
    Object.entries(value as Record<string, string>).every(
      ([key, text]) => key !== '' && !/[=\0]/.test(key) && !text.includes('\0'),
    )
      ? { value }
      : { expected: 'KEY=VALUE with a name before the equals sign' },

  folder: (value) => {
    if (value === null || isFolder(String(value))) return { value }
    return { expected: 'an existing folder' }
  },

  user: (value) =>
    value === null || findUser(String(value)) !== undefined
      ? { value }
      : { expected: 'a user of this system' },

  group: (value) =>
    value === null || findGroup(String(value)) !== undefined
      ? { value }
      : { expected: 'a group of this system' },

  /** RFC 9110 §5.1: a field name is a token. */
  'field-names': (value) =>
    Object.keys(value as Record<string, string>).every((name) =>
      /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name),
    )
      ? { value }
      : { expected: 'valid header names as keys' },

  /** Paths of URLs as keys, and folders as values. */
  'url-folders': (value) => {
    const folders = new Map<string, string>()
    for (const [path, folder] of Object.entries(value as Record<string, string>)) {
      if (!isUrlPath(path))
        return {
          expected:
            'a path that begins with a slash, such as /static, without "//", "%", "?", "#" or ' +
            'segments of dots',
        }
      if (!isFolder(folder)) return { expected: `an existing folder, not ${folder}` }
      const key = path === '/' ? path : path.replace(/\/$/, '')
      if (folders.has(key)) return { expected: 'one folder for each path' }
      folders.set(key, folder)
    }
    return { value: Object.fromEntries(folders) }
  },

  'existing-folders': (value) => {
    const missing = (value as readonly string[]).find((folder) => !isFolder(folder))
    return missing === undefined ? { value } : { expected: `an existing folder, not ${missing}` }
  },

  'immutable-names': (value) => {
    try {
      if (value !== null && value !== 'auto') new RegExp(String(value))
      return { value }
    } catch {
      return { expected: 'auto, or a regular expression such as ^/assets/' }
    }
  },

  'worker-class': (value) => readWorkerClass(String(value)),

  'compress-level': (value) =>
    Object.entries(value as Record<string, string>).every(([coding, level]) => {
      const range = COMPRESS_LEVELS.get(coding)
      if (range === undefined || !/^\d{1,2}$/.test(level)) return false
      return Number(level) >= range[0] && Number(level) <= range[1]
    })
      ? { value }
      : { expected: 'br=0 to br=11, zstd=1 to zstd=19, or gzip=1 to gzip=9' },

  /** A port alone, or an address with a port. */
  'redirect-addresses': (value) => {
    const texts = value as readonly string[]
    return texts.every((text) => /^(.*:)?[0-9]{1,5}$/.test(text) && isTcp(text))
      ? { value }
      : { expected: 'a port, or HOST:PORT' }
  },

  /** RFC 6797 §6.1: a number of seconds, or that and directives. */
  hsts: (value) => {
    if (value === null) return { value }
    const [age = '', ...directives] = String(value)
      .split(';')
      .map((part) => part.trim())
    const seconds = /^(?:max-age=)?([0-9]{1,10})$/i.exec(age)?.[1]
    const known = directives.flatMap((one) => HSTS_DIRECTIVES[one.toLowerCase()] ?? [])
    return seconds !== undefined && known.length === directives.length
      ? { value: [`max-age=${seconds}`, ...new Set(known)].join('; ') }
      : { expected: 'a number of seconds such as 31536000, then perhaps ; includeSubDomains' }
  },

  ratio: (value) =>
    value === null || (/^(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/.test(String(value)) && Number(value) <= 1)
      ? { value }
      : { expected: 'a number from 0 to 1, such as 0.1' },

  'otlp-endpoint': (value) =>
    value === null || value === 'env' || /^https?:$/.test(protocolOf(String(value)))
      ? { value }
      : { expected: 'a URL such as http://127.0.0.1:4318, or env' },

  'ssl-version': (value) => {
    const version = SSL_VERSIONS[String(value).toLowerCase()]
    return version !== undefined ? { value: version } : { expected: 'TLS, TLSv1_2 or TLSv1_3' }
  },
}

/**
 * The names that Gunicorn documents and the numbers of Python's `ssl` module, as far as they mean
 * versions that are in use.
 */
const SSL_VERSIONS: Readonly<Record<string, string>> = {
  tls: 'TLS',
  sslv23: 'TLS',
  tls_server: 'TLS',
  '2': 'TLS',
  '17': 'TLS',
  tlsv1_2: 'TLSv1_2',
  '5': 'TLSv1_2',
  tlsv1_3: 'TLSv1_3',
}

const HSTS_DIRECTIVES: Readonly<Record<string, string>> = {
  includesubdomains: 'includeSubDomains',
  preload: 'preload',
}

/** `''` for what is no URL. */
function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : ''
}

function isTcp(text: string): boolean {
  try {
    return parseBindAddress(/^[0-9]+$/.test(text) ? `:${text}` : text).kind === 'tcp'
  } catch (error) {
    if (error instanceof BindAddressError) return false
    throw error
  }
}

function isHost(text: string): boolean {
  if (text === '*' || isNetwork(text.replace(/^\[(.*)\]$/, '$1'))) return true
  return /^\.?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?$/i.test(text) && !/^[0-9.]+$/.test(text)
}

/** The least and the greatest level of each coding. */
const COMPRESS_LEVELS: ReadonlyMap<string, readonly [least: number, most: number]> = new Map([
  ['br', [0, 11]],
  ['zstd', [1, 19]],
  ['gzip', [1, 9]],
])

function isNetwork(text: string): boolean {
  const [address, prefix, ...more] = text.split('/')
  const family = isIP(address!)
  if (family === 0 || more.length > 0) return false
  return (
    prefix === undefined ||
    (/^[0-9]{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128))
  )
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    // It is missing or not accessible.
    return false
  }
}

/** The path of a URL as an application sees it: decoded, so without a percent sign. */
function isUrlPath(path: string): boolean {
  return /^\/[^\0-\x20?#%\\\x7f]*$/.test(path) && !/\/\/|\/\.{1,2}(\/|$)/.test(path)
}
