import { pbkdf2Sync, scryptSync } from 'node:crypto'

// Derives keys from passwords with Node's OpenSSL. Pyodide's `hashlib` has neither `pbkdf2_hmac`
// nor `scrypt`, with which Django and Werkzeug store passwords.
// `python/monoceros_pyodide/key_derivation.py` calls these functions and checks the arguments.

/**
 * PBKDF2 of RFC 8018 with HMAC.
 *
 * @param hash Python's name for it: `sha256`, `sha3_256`
 * @param length of the key, in bytes
 * @returns the key, or undefined if the hash is not available
 */
export function pbkdf2(
  hash: string,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
): Uint8Array | undefined {
  // These hashes have no fixed length, which HMAC needs.
  if (hash.startsWith('shake_')) return undefined
  return unless('ERR_CRYPTO_INVALID_DIGEST', () =>
    pbkdf2Sync(password, salt, iterations, length, opensslName(hash)),
  )
}

/**
 * scrypt of RFC 7914.
 *
 * @param memory the limit of its memory, in bytes
 * @param length of the key, in bytes
 * @returns the key, or undefined if the parameters do not fit each other or need more memory
 */
export function scrypt(
  password: Uint8Array,
  salt: Uint8Array,
  n: number,
  r: number,
  p: number,
  memory: number,
  length: number,
): Uint8Array | undefined {
  return unless('ERR_CRYPTO_INVALID_SCRYPT_PARAMS', () =>
    scryptSync(password, salt, length, { N: n, r, p, maxmem: memory }),
  )
}

/** Returns the key as a Uint8Array, because Pyodide cannot convert a Buffer. */
function unless(code: string, derive: () => Buffer): Uint8Array | undefined {
  try {
    return new Uint8Array(derive())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return undefined
    // OpenSSL knows the hash but does not provide it: md4 is in its "legacy" provider.
    if ((error as Error).message.endsWith('::unsupported')) return undefined
    throw error
  }
}

/** `sha3_256` → `sha3-256` */
function opensslName(hash: string): string {
  if (hash === 'blake2b') return 'blake2b512'
  if (hash === 'blake2s') return 'blake2s256'
  return hash.replace('_', '-')
}
