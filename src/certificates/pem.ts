/** The parts of a file in PEM (RFC 7468), which may also have text around them. */
export interface PemParts {
  /** In their order, each with its BEGIN and END lines and a line end. */
  readonly certificates: readonly string[]
  readonly keys: readonly string[]
}

/** There may be lines with a name before the base64, as in `DEK-Info: AES-256-CBC,…`. */
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----(?:(?!-----)[\s\S])*-----END \1-----/g

/**
 * Splits a file that may have a key, a certificate, a chain, or all of them.
 *
 * @example splitPem(readFileSync('fullchain.pem', 'latin1')).certificates.length // 2
 */
export function splitPem(text: string): PemParts {
  const certificates: string[] = []
  const keys: string[] = []
  for (const [block, label = ''] of text.matchAll(BLOCK)) {
    if (label === 'CERTIFICATE' || label === 'X509 CERTIFICATE') certificates.push(`${block}\n`)
    else if (label.endsWith('PRIVATE KEY')) keys.push(`${block}\n`)
  }
  return { certificates, keys }
}
