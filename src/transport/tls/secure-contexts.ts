import { constants, createHash } from 'node:crypto'
import { createSecureContext, type SecureContext, type TLSSocketOptions } from 'node:tls'
import { serverNameOf } from './server-name.ts'
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
  #options!: TLSSocketOptions & { readonly secureContext: SecureContext }
  #material!: TlsMaterial
  /** By host name, in lower case. */
  readonly #named = new Map<string, SecureContext>()
  /** By what follows the first label of `*.example.org`. */
  readonly #wildcards = new Map<string, SecureContext>()
  /** Has no certificate yet; null if there is no choice between several. */
  #bare: SecureContext | null = null

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

  /**
   * For the constructor of a `TLSSocket` of the server's side. With several certificates, the name
   * is read here, if it is in the record: `SNICallback` only adds a certificate to those that there
   * are, and with keys of two types, OpenSSL would choose one of them.
   *
   * @param record what the client has sent: a whole record of a handshake
   */
  optionsFor(record: Buffer): TLSSocketOptions {
    const options = this.#options
    if (this.#bare === null) return options
    const name = serverNameOf(record)
    if (name === null) return options
    if (name !== undefined) return { ...options, secureContext: this.#contextFor(name) }
    return {
      ...options,
      secureContext: this.#bare,
      SNICallback: (asked, done) => done(null, this.#contextFor(asked)),
    }
  }

  /** @throws Error of OpenSSL if a certificate or a key cannot be used; then nothing changes */
  use(material: TlsMaterial): void {
    const [first, ...others] = material.pairs
    if (first === undefined) throw new Error('there is no certificate')
    const contexts = material.pairs.map((pair) => contextOf(pair, material))
    this.#bare = others.length === 0 ? null : contextOf(null, material)
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
  #contextFor(serverName: string): SecureContext {
    const name = serverName.toLowerCase().replace(/\.$/, '')
    const wildcard = () => this.#wildcards.get(name.slice(name.indexOf('.') + 1))
    return this.#named.get(name) ?? wildcard() ?? this.#options.secureContext
  }
}

function contextOf(
  pair: CertificatePair | null,
  { ca, ciphers, minVersion, maxVersion, ticketKeys, clientCertificates }: TlsMaterial,
): SecureContext {
  // A session that began with other rules for clients' certificates must not go on.
  const rules = createHash('sha256').update(`${clientCertificates} ${ca}`)
  return createSecureContext({
    ...(pair === null ? {} : { cert: pair.cert, key: pair.key }),
    minVersion,
    maxVersion,
    ticketKeys: Buffer.from(ticketKeys),
    sessionIdContext: rules.digest('hex').slice(0, 32),
    secureOptions: OPTIONS,
    ...(pair?.passphrase === undefined ? {} : { passphrase: pair.passphrase }),
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
