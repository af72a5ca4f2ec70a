import type { Protocol } from '../http/connection.ts'
import { h1, PLAIN_HTTP_REFUSED } from '../http/h1/protocol.ts'
import { HandshakeGate } from '../http/tls/handshake-gate.ts'
import type { HandshakeFailure } from '../http/tls/pending-handshake.ts'
import { type Coded, coded } from '../messages/coded.ts'
import type { Settings } from '../settings/table.ts'
import { SecureContexts } from '../transport/tls/secure-contexts.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'

export interface SecureConnectionsOptions {
  readonly settings: Settings
  readonly material: TlsMaterial
  /** For clients that choose HTTP/2; null if it is not offered. */
  readonly h2: Protocol | null
  /** Logs what a client can cause at will; see `LogLimiter`. */
  readonly log: {
    info(kind: string, text: string): void
    warning(kind: string, text: Coded, burst?: number): void
  }
}

/** What the listeners with TLS of an acceptor share. Loaded only if there are any. */
export class SecureConnections {
  readonly gate: HandshakeGate
  readonly #contexts: SecureContexts
  readonly #options: SecureConnectionsOptions
  /** Handshakes that failed, by the kind of failure. */
  readonly failures: Record<HandshakeFailure['kind'], number> = {
    failed: 0,
    plain: 0,
    left: 0,
    overdue: 0,
  }
  /** Connections that were closed because of a flood of records. */
  floods = 0

  constructor(options: SecureConnectionsOptions) {
    const { settings, material, h2, log } = options
    this.#options = options
    this.#contexts = new SecureContexts(material)
    this.gate = new HandshakeGate({
      contexts: this.#contexts,
      timeout: settings.handshakeTimeout,
      limit: settings.maxHandshakes,
      plainAnswer: PLAIN_HTTP_REFUSED,
      protocolFor: (alpn) => (alpn === 'h2' && h2 !== null ? { protocol: h2, whole: true } : H1),
      failed: (address, failure) => this.#failed(address, failure),
      flooded: (address) => {
        this.floods++
        log.info(
          'floods of TLS records without data',
          `Connection with ${address || 'unix socket'} closed: a flood of TLS records without ` +
            'data (changes of keys, or attempts to renegotiate)',
        )
      },
      filled: () =>
        log.warning(
          'full TLS handshakes',
          coded(
            'MONO4038',
            `${settings.maxHandshakes} TLS handshakes are under way (max_handshakes): others ` +
              'wait, and those that take longer than a second are closed for them',
          ),
          1,
        ),
    })
  }

  /** Has new handshakes use these certificates. */
  use(material: TlsMaterial): void {
    this.#contexts.use(material)
  }

  #failed(address: string, { kind, reason }: HandshakeFailure): void {
    this.failures[kind]++
    const text = `TLS handshake with ${address || 'unix socket'} failed: ${reason}`
    this.#options.log.info(KINDS[kind], text)
  }
}

/** How the log names those that it leaves out. */
const KINDS: Readonly<Record<HandshakeFailure['kind'], string>> = {
  failed: 'TLS handshakes that failed',
  plain: 'requests of plain HTTP to a port with TLS',
  left: 'TLS handshakes whose clients left',
  overdue: 'TLS handshakes that were given up',
}

const H1 = { protocol: h1, whole: false }
