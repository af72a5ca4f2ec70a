import type { TlsSettings } from '../../src/certificates/load-tls.ts'

/** The settings of TLS as they are without flags: no certificate. */
export const DEFAULT_TLS: TlsSettings = {
  certfile: [],
  keyfile: [],
  keyPassphraseFile: null,
  caCerts: null,
  certReqs: 0,
  ciphers: null,
  sslVersion: 'TLS',
  tlsMinimum: '1.2',
  http2: true,
}
