/** A certificate and its key, in PEM. */
export interface CertificatePair {
  /** The certificate, followed by those of the authorities between it and the root. */
  readonly cert: string
  readonly key: string
  readonly passphrase?: string
  /** The host names that it is for, in lower case; `*.example.org` stands for one label. */
  readonly names: readonly string[]
}

/** A version of TLS, as `node:tls` calls it. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

/**
 * Everything that an acceptor needs for TLS. It is plain data, because the arbiter reads the files
 * and sends it: an acceptor may run as a user that must not read a key.
 */
export interface TlsMaterial {
  /** The first is for clients that name no host, or one that no certificate is for. */
  readonly pairs: readonly CertificatePair[]
  /** The authorities that sign clients' certificates, in PEM; null for those of Node.js. */
  readonly ca: string | null
  readonly clientCertificates: 'none' | 'optional' | 'required'
  /** In OpenSSL's notation; null for Node's own list. */
  readonly ciphers: string | null
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  /** 48 bytes that the session tickets of all acceptors are encrypted with. */
  readonly ticketKeys: Uint8Array
  /** Protocols by their names in ALPN (RFC 7301), the preferred one first. */
  readonly alpn: readonly string[]
}
