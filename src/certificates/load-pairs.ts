import { X509Certificate } from 'node:crypto'
import { type Coded, coded } from '../messages/coded.ts'
import type { CertificatePair } from '../transport/tls/tls-material.ts'
import { CertificateError } from './certificate-error.ts'
import { namesOf } from './certificate-names.ts'
import { splitPem } from './pem.ts'
import { type Passphrases, type PrivateKey, passphrasesOf, privateKeysOf } from './private-keys.ts'
import { othersMayRead, readFile } from './read-file.ts'

/** The files that have certificates and keys. */
export interface PairFiles {
  readonly certfile: readonly string[]
  readonly keyfile: readonly string[]
  readonly keyPassphraseFile: string | null
}

/** A certificate with its key, and what a server must know to watch over it. */
export interface LoadedPair extends CertificatePair {
  /** The file of the certificate. */
  readonly file: string
  /** When it becomes valid and when it expires, in milliseconds since 1970. */
  readonly validFrom: number
  readonly validTo: number
}

/**
 * Reads certificates and keys, and finds the key of each certificate. Which file a key is in makes
 * no difference: they are matched by the public key.
 *
 * @returns the pairs in the order of `certfile`, and warnings about the files
 * @throws CertificateError
 */
export function loadPairs({ certfile, keyfile, keyPassphraseFile }: PairFiles): {
  pairs: readonly LoadedPair[]
  warnings: readonly Coded[]
} {
  const passphrases: Passphrases | null =
    keyPassphraseFile === null
      ? null
      : passphrasesOf(keyPassphraseFile, readFile(keyPassphraseFile, 'key_passphrase_file'))
  const certificates = certfile.map((file) => ({ file, text: readFile(file, 'certfile') }))
  const ofKeyFiles = keyfile.flatMap((file) =>
    someKeys(file, readFile(file, 'keyfile'), passphrases),
  )
  const keys = [
    ...ofKeyFiles,
    ...certificates.flatMap(({ file, text }) => privateKeysOf(file, text, passphrases)),
  ]
  const used = new Set<PrivateKey>()
  const warnings: Coded[] = []
  const pairs = certificates.map(({ file, text }) => {
    const { certificates: chain } = splitPem(text)
    const certificate = leafOf(file, chain)
    const key = keys.find((one) => certificate.checkPrivateKey(one.key))
    if (key === undefined) throw noKeyFor(file, chain, keys)
    used.add(key)
    warnings.push(...chainWarnings(file, chain))
    return {
      file,
      cert: chain.join(''),
      // Decrypted: an acceptor need not know the passphrase too.
      key: String(key.key.export({ type: 'pkcs8', format: 'pem' })),
      names: namesOf(certificate),
      validFrom: Date.parse(certificate.validFrom),
      validTo: Date.parse(certificate.validTo),
    }
  })
  const idle = ofKeyFiles.find((key) => !used.has(key))
  if (idle !== undefined)
    throw new CertificateError(
      coded(
        'MONO3205',
        `The key in ${idle.file} (keyfile) belongs to none of the certificates: ` +
          'remove it, or give its certificate with --certfile',
      ),
    )
  for (const file of new Set(keys.map((key) => key.file)))
    if (othersMayRead(file))
      warnings.push(
        coded(
          'MONO3213',
          `Every user of this machine can read the private key in ${file}: chmod o-r ${file}`,
        ),
      )
  return { pairs, warnings }
}

function someKeys(file: string, text: string, passphrases: Passphrases | null): PrivateKey[] {
  const keys = privateKeysOf(file, text, passphrases)
  if (keys.length > 0) return keys
  const isCertificate = splitPem(text).certificates.length > 0
  throw new CertificateError(
    coded(
      'MONO3203',
      isCertificate
        ? `There is no private key in ${file} (keyfile), but a certificate: give that with ` +
            '--certfile'
        : `There is no private key in PEM in ${file} (keyfile): name another file, or convert it`,
    ),
  )
}

function leafOf(file: string, chain: readonly string[]): X509Certificate {
  const [first] = chain
  if (first === undefined)
    throw new CertificateError(
      coded(
        'MONO3203',
        `There is no certificate in PEM in ${file} (certfile): name another file, or convert it`,
      ),
    )
  return parse(file, first)
}

function parse(file: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (error) {
    throw new CertificateError(
      coded(
        'MONO3204',
        `A certificate in ${file} (certfile) is damaged (${(error as Error).message}). Get it ` +
          'again',
      ),
    )
  }
}

function noKeyFor(
  file: string,
  chain: readonly string[],
  keys: readonly PrivateKey[],
): CertificateError {
  if (keys.length === 0)
    return new CertificateError(
      coded(
        'MONO3205',
        `There is no private key for ${file}: give it with --keyfile, or put it into that file`,
      ),
    )
  const later = chain.slice(1).some((pem) => {
    const certificate = parse(file, pem)
    return keys.some(({ key }) => certificate.checkPrivateKey(key))
  })
  if (later)
    return new CertificateError(
      coded(
        'MONO3206',
        `The certificates in ${file} are in the wrong order: put the server's first, and those ` +
          'of the authorities after it',
      ),
    )
  const files = [...new Set(keys.map((key) => key.file))].join(', ')
  return new CertificateError(
    coded(
      'MONO3205',
      `The certificate in ${file} and the key in ${files} do not belong together: ` +
        'give the key that the certificate was made for',
    ),
  )
}

/** Clients cannot verify a chain with a gap. Most of them do not mind the order. */
function chainWarnings(file: string, chain: readonly string[]): Coded[] {
  const parsed = chain.map((pem) => parse(file, pem))
  const [leaf, next] = parsed
  if (leaf === undefined || next === undefined || leaf.checkIssued(next)) return []
  return [
    coded(
      'MONO3206',
      `The second certificate in ${file} is not that of the authority that signed the first one: ` +
        'clients may not be able to verify it',
    ),
  ]
}
