/** What an environ has of a client's certificate, under the names of Apache's mod_ssl. */
import type { X509Certificate } from 'node:crypto'
import type { Peer } from '../http/peer.ts'

type TlsFacts = NonNullable<Peer['tls']>
type ClientIdentity = NonNullable<TlsFacts['client']>

/** A variable and its value, each byte as one character (latin-1). */
export type Variable = readonly [name: string, value: string]

/** The parts of a name that mod_ssl knows, by what OpenSSL calls them. */
const COMPONENTS: Readonly<Record<string, string>> = {
  C: 'C',
  ST: 'ST',
  L: 'L',
  O: 'O',
  OU: 'OU',
  CN: 'CN',
  title: 'T',
  initials: 'I',
  GN: 'G',
  SN: 'S',
  description: 'D',
  UID: 'UID',
  emailAddress: 'Email',
  DC: 'DC',
}

/** A longer certificate, in bytes, is not shown: its variables are kept for the connection. */
const LONGEST = 16 * 1024

const NONE: readonly Variable[] = []

/**
 * The variables of a connection on which the server has asked for a certificate; empty if it has
 * not. None of them can come from a header: those begin with `HTTP_`.
 *
 * A certificate that is not trusted shows only in `SSL_CLIENT_VERIFY`, so an application that does
 * not look at it believes nobody.
 */
export function sslVariablesOf({ tls }: Pick<Peer, 'tls'>): readonly Variable[] {
  const client = tls?.client
  if (!client) return NONE
  return sslVariables(tls, client)
}

function sslVariables(tls: TlsFacts, client: ClientIdentity): readonly Variable[] {
  const variables: Variable[] = [
    ['SSL_PROTOCOL', tls.protocol],
    ['SSL_CIPHER', tls.cipher],
    ['SSL_SESSION_RESUMED', tls.resumed ? 'Resumed' : 'Initial'],
  ]
  if (tls.serverName !== null) variables.push(['SSL_TLS_SNI', latin1(tls.serverName)])
  const { certificate, problem } = client
  if (certificate === null) variables.push(['SSL_CLIENT_VERIFY', 'NONE'])
  else if (problem !== null) variables.push(['SSL_CLIENT_VERIFY', `FAILED:${latin1(problem)}`])
  else if (certificate.raw.length > LONGEST)
    variables.push(['SSL_CLIENT_VERIFY', `FAILED:certificate is longer than ${LONGEST} bytes`])
  else variables.push(['SSL_CLIENT_VERIFY', 'SUCCESS'], ...ofCertificate(certificate))
  return variables
}

function ofCertificate(certificate: X509Certificate): Variable[] {
  const { serialNumber, validFrom, validTo, subject, issuer, subjectAltName } = certificate
  return [
    ['SSL_CLIENT_CERT', certificate.toString()],
    ['SSL_CLIENT_M_SERIAL', serialNumber],
    ['SSL_CLIENT_V_START', validFrom],
    ['SSL_CLIENT_V_END', validTo],
    ...ofName('SSL_CLIENT_S_DN', subject),
    ...ofName('SSL_CLIENT_I_DN', issuer),
    ...ofAlternativeNames(subjectAltName),
  ]
}

/**
 * Node.js writes a name with one line for each of its parts, whose values are escaped as in RFC
 * 2253 §2.4; several parts of equal rank share a line.
 */
function ofName(prefix: string, text: string | undefined): Variable[] {
  const lines = (text ?? '').split('\n').filter((line) => line !== '')
  const ranks = lines.map((line) => line.split(/(?<!\\) \+ /))
  const dn = ranks.toReversed().map((parts) => parts.toReversed().join('+'))
  const variables: Variable[] = [[prefix, latin1(dn.join(','))]]
  const seen = new Map<string, number>()
  for (const part of ranks.flat()) {
    const equals = part.indexOf('=')
    const component = COMPONENTS[part.slice(0, equals)]
    if (component === undefined) continue
    const value = unescaped(part.slice(equals + 1))
    const name = `${prefix}_${component}`
    const count = seen.get(name) ?? 0
    seen.set(name, count + 1)
    // mod_ssl: the first one has no number as well.
    if (count === 0) variables.push([name, value])
    variables.push([`${name}_${count}`, value])
  }
  return variables
}

/** RFC 2253 §2.4: a character, or a byte as two hexadecimal digits. */
function unescaped(value: string): string {
  return latin1(value).replace(/\\([0-9A-Fa-f]{2}|.)/gs, (_, escaped: string) =>
    escaped.length === 2 ? String.fromCharCode(Number.parseInt(escaped, 16)) : escaped,
  )
}

function ofAlternativeNames(text: string | undefined): Variable[] {
  const counts = { DNS: 0, email: 0 }
  const variables: Variable[] = []
  // A value that could be mistaken for more than one is a string of JSON.
  for (const [, kind = '', value = ''] of (text ?? '').matchAll(
    /(?:^|, )([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)/g,
  )) {
    if (kind !== 'DNS' && kind !== 'email') continue
    const name = kind === 'DNS' ? 'SSL_CLIENT_SAN_DNS' : 'SSL_CLIENT_SAN_Email'
    const plain = value.startsWith('"') ? (JSON.parse(value) as string) : value
    variables.push([`${name}_${counts[kind]++}`, latin1(plain)])
  }
  return variables
}

/** PEP 3333 "A Note On String Types": the bytes of UTF-8, each as one character. */
function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}
