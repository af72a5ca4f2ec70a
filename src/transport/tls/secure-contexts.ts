import { constants, createHash } from 'node:crypto'
import { createSecureContext, type SecureContext, type TLSSocketOptions } from 'node:tls'
import type { CertificatePair, TlsMaterial } from './tls-material.ts'

/** OpenSSL tells a client that wants to renegotiate that it may not (RFC 5246 §7.2.2). */
const OPTIONS =
  constants.SSL_OP_NO_RENEGOTIATION |
  constants.SSL_OP_NO_COMPRESSION |
  constants.SSL_OP_CIPHER_SERVER_PREFERENCE

/**
 * The certificates and rules for new handshakes. {@link use} replaces them: connections that there
 * are keep what they have.
 */
export class SecureContexts {
  #options!: TLSSocketOptions
  #material!: TlsMaterial
  /** By host name, in lower case. */
  readonly #named = new Map<string, SecureContext>()
  /** By what follows the first label of `*.example.org`. */
  readonly #wildcards = new Map<string, SecureContext>()

  /** @throws Error of OpenSSL if a certificate or a key cannot be used */
  constructor(material: TlsMaterial) {
    this.use(material)
  }

  /** A client's certificate is wanted. */
  get asksForCertificates(): boolean {
    return this.#material.clientCertificates !== 'none'
  }

  /** A client without one that we trust is refused. */
  get needsCertificates(): boolean {
    return this.#material.clientCertificates === 'required'
  }

  /** For the constructor of a `TLSSocket` of the server's side. */
  get options(): TLSSocketOptions {
    return this.#options
  }

  /** @throws Error of OpenSSL if a certificate or a key cannot be used; then nothing changes */
  use(material: TlsMaterial): void {
    const [first, ...others] = material.pairs
    if (first === undefined) throw new Error('there is no certificate')
    const contexts = [first, ...others].map((pair) => contextOf(pair, material))
    this.#material = material
    this.#named.clear()
    this.#wildcards.clear()
    // The first certificate that is for a name has it.
    for (const [index, pair] of material.pairs.entries()) this.#name(pair, contexts[index]!)
    const { alpn, clientCertificates } = material
    this.#options = {
      isServer: true,
      secureContext: contexts[0]!,
      ALPNProtocols: alpnList(alpn),
      requestCert: clientCertificates !== 'none',
      rejectUnauthorized: clientCertificates === 'required',
      ...(others.length === 0
        ? {}
        : {
            SNICallback: (name, done) => done(null, this.#contextFor(name) ?? contexts[0]),
          }),
    }
  }

  #name({ names }: CertificatePair, context: SecureContext): void {
    for (const name of names) {
      const wildcard = name.startsWith('*.')
      const map = wildcard ? this.#wildcards : this.#named
      const key = wildcard ? name.slice(2) : name
      if (!map.has(key)) map.set(key, context)
    }
  }

  /** RFC 6125 §6.4: a name before a wildcard, which stands for one label. */
  #contextFor(serverName: string): SecureContext | undefined {
    const name = serverName.toLowerCase().replace(/\.$/, '')
    return this.#named.get(name) ?? this.#wildcards.get(name.slice(name.indexOf('.') + 1))
  }
}

function contextOf(
  { cert, key, passphrase }: CertificatePair,
  { ca, ciphers, minVersion, maxVersion, ticketKeys, clientCertificates }: TlsMaterial,
): SecureContext {
  // A session that began with other rules for clients' certificates must not go on.
  const rules = createHash('sha256').update(`${clientCertificates} ${ca}`)
  return createSecureContext({
    cert,
    key,
    minVersion,
    maxVersion,
    ticketKeys: Buffer.from(ticketKeys),
    sessionIdContext: rules.digest('hex').slice(0, 32),
    secureOptions: OPTIONS,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(ca === null ? {} : { ca }),
    ...(ciphers === null ? {} : { ciphers }),
  })
}

/** RFC 7301 §3.1: each name with its length in front. */
function alpnList(names: readonly string[]): Uint8Array {
  return Buffer.concat(
    names.map((name) => Buffer.from(String.fromCharCode(name.length) + name, 'latin1')),
  )
}
