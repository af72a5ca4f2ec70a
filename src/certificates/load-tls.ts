import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { type Coded, coded } from '../messages/coded.ts'
import type { Settings } from '../settings/table.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'
import { CertificateError } from './certificate-error.ts'
import { type LoadedPair, loadPairs } from './load-pairs.ts'
import { splitPem } from './pem.ts'
import { readFile } from './read-file.ts'

const CLIENT_CERTIFICATES = ['none', 'optional', 'required'] as const

/** The settings that TLS depends on. */
export type TlsSettings = Pick<
  Settings,
  | 'certfile'
  | 'keyfile'
  | 'keyPassphraseFile'
  | 'caCerts'
  | 'certReqs'
  | 'ciphers'
  | 'sslVersion'
  | 'tlsMinimum'
  | 'http2'
>

/** All that acceptors need for TLS, except the key of their session tickets. */
export interface LoadedTls {
  readonly material: Omit<TlsMaterial, 'ticketKeys'>
  readonly pairs: readonly LoadedPair[]
  /** What is wrong with files that can be used all the same. */
  readonly warnings: readonly Coded[]
}

/** HTTP/1.x in ALPN (RFC 7301). */
const HTTP1 = ['http/1.1', 'http/1.0']

/**
 * Reads the files that the settings name, and makes sure that TLS can work with them.
 *
 * @throws CertificateError
 */
export function loadTls(settings: TlsSettings): LoadedTls {
  const { certReqs, caCerts, ciphers } = settings
  const clientCertificates = CLIENT_CERTIFICATES[certReqs] ?? 'none'
  if (clientCertificates !== 'none' && caCerts === null)
    throw new CertificateError(
      coded(
        'MONO3208',
        `cert_reqs ${certReqs} needs the authorities that sign clients' certificates: ` +
          'give their file with --ca-certs',
      ),
    )
  const { pairs, warnings } = loadPairs(settings)
  const ca = caCerts === null ? null : authorities(caCerts)
  const material = {
    pairs: pairs.map(({ cert, key, names }) => ({ cert, key, names })),
    ca,
    clientCertificates,
    ciphers,
    ...versions(settings),
    alpn: settings.http2 ? ['h2', ...HTTP1] : HTTP1,
  }
  if (ciphers !== null) tryCiphers(ciphers)
  for (const pair of pairs) tryPair(pair)
  tryTogether(material)
  return { material, pairs, warnings }
}

function versions({
  sslVersion,
  tlsMinimum,
}: TlsSettings): Pick<TlsMaterial, 'minVersion' | 'maxVersion'> {
  if (sslVersion === 'TLSv1_2' && tlsMinimum === '1.3')
    throw new CertificateError(
      coded(
        'MONO3209',
        'ssl_version TLSv1_2 and tls_minimum 1.3 contradict each other: remove one of them',
      ),
    )
  if (sslVersion === 'TLSv1_2') return { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }
  const newest = sslVersion === 'TLSv1_3' || tlsMinimum === '1.3'
  return { minVersion: newest ? 'TLSv1.3' : 'TLSv1.2', maxVersion: 'TLSv1.3' }
}

function authorities(file: string): string {
  const { certificates } = splitPem(readFile(file, 'ca_certs'))
  if (certificates.length === 0)
    throw new CertificateError(
      coded(
        'MONO3203',
        `There is no certificate in PEM in ${file} (ca_certs): name another file, or convert it`,
      ),
    )
  for (const pem of certificates) {
    try {
      new X509Certificate(pem)
    } catch (error) {
      throw new CertificateError(
        coded(
          'MONO3204',
          `A certificate in ${file} (ca_certs) is damaged (${(error as Error).message}). ` +
            'Get it again',
        ),
      )
    }
  }
  return certificates.join('')
}

function tryCiphers(ciphers: string): void {
  try {
    createSecureContext({ ciphers })
  } catch {
    throw new CertificateError(
      coded(
        'MONO3209',
        `OpenSSL knows none of the ciphers "${ciphers}" (ciphers): see \`openssl ciphers -v\``,
      ),
    )
  }
}

/** OpenSSL refuses some that belong together, such as those with a short key. */
function tryPair({ file, cert, key }: LoadedPair): void {
  try {
    createSecureContext({ cert, key })
  } catch (error) {
    throw new CertificateError(
      coded(
        'MONO3210',
        `OpenSSL does not accept the certificate in ${file} (${reasonOf(error)}). ` +
          'Make a new one, with a key of 2048 bits or P-256, and SHA-256',
      ),
    )
  }
}

/** What acceptors do with it later, where an error would be a bug. */
function tryTogether({ pairs, ca, ciphers, minVersion, maxVersion }: LoadedTls['material']): void {
  const [pair] = pairs
  if (pair === undefined) return
  const { cert, key } = pair
  const optional = { ...(ca === null ? {} : { ca }), ...(ciphers === null ? {} : { ciphers }) }
  try {
    createSecureContext({ cert, key, minVersion, maxVersion, ...optional })
  } catch (error) {
    throw new CertificateError(
      coded(
        'MONO3209',
        `OpenSSL does not accept the settings of TLS together (${reasonOf(error)}): ` +
          'check ciphers, tls_minimum, ssl_version and ca_certs',
      ),
    )
  }
}

/** @example 'error:0A00018F:SSL routines::ee key too small' gives 'ee key too small' */
function reasonOf(error: unknown): string {
  const { message } = error as Error
  return message.slice(message.lastIndexOf(':') + 1).trim()
}
