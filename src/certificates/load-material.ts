import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Settings } from '../settings/table.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'

/** Thrown if a certificate or a key cannot be used; `message` has the file and what to do. */
export class CertificateError extends Error {
  readonly code = 'certificate'
}

const CLIENT_CERTIFICATES = ['none', 'optional', 'required'] as const

/**
 * Reads the files that the settings name.
 *
 * @returns null if there is no certificate, so no TLS
 * @throws CertificateError
 */
export function loadTlsMaterial(settings: Settings): TlsMaterial | null {
  const { certfile, keyfile, caCerts, certReqs, ciphers } = settings
  if (certfile === null) return null
  const cert = read(certfile, 'certfile')
  // As in Gunicorn, the file of the certificate may have the key too.
  const key = keyfile === null ? cert : read(keyfile, 'keyfile')
  const ca = caCerts === null ? null : read(caCerts, 'ca_certs')
  try {
    createSecureContext({ cert, key, ...(ciphers === null ? {} : { ciphers }) })
  } catch (error) {
    throw new CertificateError(
      `The certificate ${certfile} and the key ${keyfile ?? certfile} cannot be used: ` +
        `${(error as Error).message}. Check that they are in PEM and belong together.`,
    )
  }
  return {
    pairs: [{ cert, key, names: [] }],
    ca,
    clientCertificates: CLIENT_CERTIFICATES[certReqs] ?? 'none',
    ciphers,
    ...versions(settings),
    ticketKeys: randomBytes(48),
    alpn: ['http/1.1'],
  }
}

function versions({
  sslVersion,
  tlsMinimum,
}: Settings): Pick<TlsMaterial, 'minVersion' | 'maxVersion'> {
  if (sslVersion === 'TLSv1_2') return { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }
  const newest = sslVersion === 'TLSv1_3' || tlsMinimum === '1.3'
  return { minVersion: newest ? 'TLSv1.3' : 'TLSv1.2', maxVersion: 'TLSv1.3' }
}

function read(path: string, setting: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException
    throw new CertificateError(`Cannot read ${path} (${setting}): ${code}`)
  }
}
