/** Certificate authorities that connections of `monoceros install` trust, as PEM texts. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'

/** The system's certificate authorities on Linux and BSD; the first existing file counts. */
const SYSTEM_AUTHORITIES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/**
 * Node's own authorities, the system's, and those that the environment names.
 *
 * @param environment SSL_CERT_FILE replaces the system's, NODE_EXTRA_CA_CERTS adds to them
 */
export function systemAuthorities(
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  const found: string[] = [...rootCertificates]
  const system =
    environment.SSL_CERT_FILE ?? SYSTEM_AUTHORITIES.find((path) => textOf(path) !== null)
  for (const path of [system, environment.NODE_EXTRA_CA_CERTS]) {
    const text = path === undefined ? null : textOf(path)
    if (text !== null) found.push(text)
  }
  return found
}

/**
 * The authorities in a file, or in the files of a folder.
 *
 * @throws Error if the path cannot be read
 */
export function authoritiesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [readFileSync(path, 'utf8')]
  const texts = readdirSync(path).map((name) => textOf(join(path, name)))
  return texts.filter((text): text is string => text?.includes('-----BEGIN') === true)
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
