import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { coded } from '../messages/coded.ts'
import { CertificateError } from './certificate-error.ts'

/** A certificate for development, and the files that it is kept in. */
export interface DevCertificate {
  /** A file with the certificate and the key. */
  readonly file: string
  /** SHA-256 of the certificate, as browsers show it: `AB:CD:…`. */
  readonly fingerprint: string
  /** It was made just now. */
  readonly isNew: boolean
}

export interface DevCertificateOptions {
  /** Where it is kept; made if it is missing. */
  readonly folder: string
  /** Names and addresses that it must be for, besides those of this machine. */
  readonly hosts: readonly string[]
  /** Milliseconds since 1970. */
  readonly now: number
}

const DAY_MS = 24 * 3600 * 1000
/** Browsers accept a longer life from nobody: 398 days. */
const LIFE_DAYS = 365
/** A certificate that expires sooner is replaced. */
const REST_DAYS = 7
const LOCAL = ['localhost', '127.0.0.1', '::1'] as const
/** All addresses of this machine are no address of a certificate. */
const EVERY_ADDRESS = new Set(['0.0.0.0', '::', ''])

/**
 * The certificate of `--dev-tls`, which signs itself: the one of before if it is valid for long
 * enough and for all hosts, so that a browser needs to be told to trust it only once.
 *
 * @throws CertificateError if it cannot be kept
 */
export async function devCertificate(options: DevCertificateOptions): Promise<DevCertificate> {
  const { folder, now } = options
  const hosts = [...LOCAL, ...options.hosts.map((host) => host.toLowerCase())]
  const wanted = [...new Set(hosts)].filter((host) => !EVERY_ADDRESS.has(host))
  const file = join(folder, 'dev-tls.pem')
  const kept = read(file)
  if (kept !== null && isGood(kept, wanted, now))
    return { file, fingerprint: kept.fingerprint256, isNew: false }
  const pem = await make(wanted, now)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    // Another server may be reading it.
    const temporary = `${file}.${process.pid}`
    writeFileSync(temporary, pem, { mode: 0o600 })
    renameSync(temporary, file)
  } catch (error) {
    throw new CertificateError(
      coded(
        'MONO3201',
        `Cannot keep the certificate of dev_tls in ${folder}: ${(error as Error).message}. ` +
          'Set XDG_CACHE_HOME to a folder that can be written to',
      ),
    )
  }
  return { file, fingerprint: new X509Certificate(pem).fingerprint256, isNew: true }
}

function read(file: string): X509Certificate | null {
  try {
    return new X509Certificate(readFileSync(file))
  } catch {
    // There is none, or it is damaged: a new one takes its place.
    return null
  }
}

function isGood(certificate: X509Certificate, hosts: readonly string[], now: number): boolean {
  if (Date.parse(certificate.validFrom) > now) return false
  if (Date.parse(certificate.validTo) < now + REST_DAYS * DAY_MS) return false
  return hosts.every((host) =>
    isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host),
  )
}

/** @returns the certificate and its key, in PEM */
async function make(hosts: readonly string[], now: number): Promise<string> {
  const { generate } = await import('selfsigned')
  const made = await generate([{ name: 'commonName', value: 'Monoceros for development' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // Clocks of other machines may be behind.
    notBeforeDate: new Date(now - DAY_MS),
    notAfterDate: new Date(now + LIFE_DAYS * DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: hosts.map((host) =>
          isIP(host) === 0 ? { type: 2, value: host } : { type: 7, ip: host },
        ),
      },
    ],
  })
  return `${made.cert.trim()}\n${made.private.trim()}\n`
}
