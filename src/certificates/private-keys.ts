import { createPrivateKey, type KeyObject } from 'node:crypto'
import { coded } from '../messages/coded.ts'
import { CertificateError } from './certificate-error.ts'
import { splitPem } from './pem.ts'

/** A private key that can be used, and the file that it comes from. */
export interface PrivateKey {
  readonly file: string
  readonly key: KeyObject
}

/**
 * Reads the private keys of a file.
 *
 * @param passphrases are tried in their order for keys that are encrypted
 * @throws CertificateError
 */
export function privateKeysOf(
  file: string,
  text: string,
  passphrases: Passphrases | null,
): PrivateKey[] {
  return splitPem(text).keys.map((pem) => ({ file, key: decrypt(file, pem, passphrases) }))
}

/** The lines of the file that `key_passphrase_file` names. */
export interface Passphrases {
  readonly file: string
  readonly lines: readonly string[]
}

/** @throws CertificateError if it has none */
export function passphrasesOf(file: string, text: string): Passphrases {
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''))
  const given = lines.filter((line) => line !== '')
  if (given.length === 0)
    throw new CertificateError(
      coded(
        'MONO3207',
        `There is no passphrase in ${file} (key_passphrase_file): write it there, alone on a line`,
      ),
    )
  return { file, lines: given }
}

function decrypt(file: string, pem: string, passphrases: Passphrases | null): KeyObject {
  let failure: unknown
  // A key that is not encrypted ignores a passphrase.
  for (const passphrase of passphrases?.lines ?? [undefined]) {
    try {
      const secret =
        passphrase === undefined ? {} : { passphrase: Buffer.from(passphrase, 'latin1') }
      return createPrivateKey({ key: pem, format: 'pem', ...secret })
    } catch (error) {
      failure ??= error
    }
  }
  if (isEncrypted(pem) && passphrases === null)
    throw new CertificateError(
      coded(
        'MONO3207',
        `The key in ${file} is encrypted: give the file of its passphrase with ` +
          '--key-passphrase-file',
      ),
    )
  if (isEncrypted(pem))
    throw new CertificateError(
      coded(
        'MONO3207',
        `The key in ${file} cannot be decrypted: no passphrase in ${passphrases?.file} ` +
          '(key_passphrase_file) fits. Correct it',
      ),
    )
  throw new CertificateError(
    coded(
      'MONO3204',
      `The key in ${file} is damaged or of an unknown kind (${(failure as Error).message}). ` +
        'Get it again',
    ),
  )
}

/** PKCS #8 (RFC 5958 §3), or the older form of OpenSSL (RFC 1421 §4.6.1.1). */
function isEncrypted(pem: string): boolean {
  return pem.includes('BEGIN ENCRYPTED PRIVATE KEY') || /^Proc-Type: *4, *ENCRYPTED/m.test(pem)
}
