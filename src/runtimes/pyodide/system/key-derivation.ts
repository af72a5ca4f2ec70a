import { pbkdf2Sync, scryptSync } from 'node:crypto'

// Keys from passwords, with Node's OpenSSL: Pyodide's `hashlib` has neither `pbkdf2_hmac` nor
// `scrypt`, which Django and Werkzeug store passwords with. For
// `python/monoceros_pyodide/key_derivation.py`, which checks the arguments.

/**
 * PBKDF2 of RFC 8018 with HMAC.
 *
 * @param hash as Python names it: `sha256`, `sha3_256`
 * @param length of the key, in bytes
 * @returns the key, or undefined for a hash that is not to be had
 */
export function pbkdf2(
  hash: string,
  password: Uint8Array,
  salt: Uint8Array,
  iterations: number,
  length: number,
): Uint8Array | undefined {
  // Their digests have any length, and HMAC wants one.
  if (hash.startsWith('shake_')) return undefined
  return unless('ERR_CRYPTO_INVALID_DIGEST', () =>
    pbkdf2Sync(password, salt, iterations, length, opensslName(hash)),
  )
}

/**
 * scrypt of RFC 7914.
 *
 * @param memory the most that it may use, in bytes
 * @param length of the key, in bytes
 * @returns the key, or undefined for parameters that do not go together, or need more memory
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

/** The key, as what Pyodide can turn into bytes: it knows no Buffer. */
function unless(code: string, derive: () => Buffer): Uint8Array | undefined {
  try {
    return new Uint8Array(derive())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return undefined
    // OpenSSL knows the hash and has it not: md4 is in its "legacy" provider.
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
