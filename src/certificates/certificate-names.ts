import type { X509Certificate } from 'node:crypto'

/**
 * The host names that a certificate is for, in lower case: those of its extension subjectAltName,
 * or the common name of a certificate without the extension (RFC 6125 §6.4.4). Addresses are left
 * out, because a client cannot ask for one (RFC 6066 §3).
 *
 * @example namesOf(certificate) // ['example.org', '*.example.org']
 */
export function namesOf(certificate: X509Certificate): readonly string[] {
  const { subjectAltName, subject } = certificate
  if (subjectAltName !== undefined) {
    const names = alternativeNames(subjectAltName)
      .filter(([kind]) => kind === 'DNS')
      .map(([, name]) => name.toLowerCase())
    return [...new Set(names)]
  }
  const common = /^CN=(.+)$/m.exec(subject ?? '')?.[1]
  return common === undefined ? [] : [common.toLowerCase()]
}

/**
 * Reads the text that Node.js makes of subjectAltName. A value that could be mistaken for more than
 * one is a string of JSON there.
 *
 * @example alternativeNames('DNS:a.org, email:"x, DNS:b.org"') // [['DNS', 'a.org'], ['email', …]]
 */
function alternativeNames(text: string): readonly (readonly [kind: string, name: string])[] {
  const names: (readonly [string, string])[] = []
  for (const [, kind = '', value = ''] of text.matchAll(/([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)/g)) {
    names.push([kind.trim(), value.startsWith('"') ? (JSON.parse(value) as string) : value])
  }
  return names
}
