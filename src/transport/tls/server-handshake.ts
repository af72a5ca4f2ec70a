import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type Receiver, readEvents, socketOn } from '../accept-sockets.ts'
import {
  certificateError,
  emitTlsErrors,
  isConnected,
  receiveTls,
  takeTlsHandle,
} from '../node-internals.ts'
import { proxyHeaderOf, setProxyHeader } from '../proxy-protocol/proxy-header.ts'
import type { SecureContexts } from './secure-contexts.ts'
import { type ClientIdentity, setTlsFacts, type TlsFacts } from './tls-facts.ts'

/** Called for what becomes of a handshake: one of the two, once. */
export interface HandshakeOwner {
  /** It is done. Call {@link ServerHandshake.handOver}. */
  secured(): void
  /** @param reason in the words of OpenSSL; the connection is closed or about to be */
  failed(reason: string): void
}

/** The reason if the client has closed the connection. */
export const CLIENT_LEFT = 'the client left'

/** The server's side of a TLS handshake, on a connection whose first record is here. */
export class ServerHandshake {
  readonly #connection: Socket
  readonly #contexts: SecureContexts
  readonly #socket: TLSSocket
  readonly #owner: HandshakeOwner
  #over = false

  /**
   * @param connection a socket from which nobody reads any more
   * @param bytes what it has read: a record
   */
  constructor(connection: Socket, bytes: Buffer, contexts: SecureContexts, owner: HandshakeOwner) {
    this.#connection = connection
    this.#contexts = contexts
    this.#owner = owner
    const socket = new TLSSocket(connection, contexts.optionsFor(bytes))
    this.#socket = socket
    socket.once('secure', () => this.#secure())
    socket.on('error', (error) => this.#failed(reasonOf(error)))
    socket.on('end', () => this.#failed(CLIENT_LEFT))
    socket.on('close', () => this.#failed(CLIENT_LEFT))
  }

  /** @param bytes what the connection has read: a record */
  begin(bytes: Buffer): void {
    // Otherwise Node gives it to OpenSSL in a moment.
    if (!receiveTls(this.#socket, bytes)) this.#connection.unshift(bytes)
  }

  /** By ALPN; null if the client did not ask for a protocol. */
  get alpn(): string | null {
    return this.#socket.alpnProtocol || null
  }

  /**
   * Gives the connection to who reads it from now on.
   *
   * @param take returns what reads the socket
   * @param whole the socket must be a `TLSSocket`, which reads by itself, as `node:http2` needs it
   * @returns whether the client is still there; otherwise `take` is not called
   */
  handOver(take: (socket: Socket) => Receiver, whole: boolean): boolean {
    const tls = this.#socket
    // Its address is unknown by now, and would be that of a unix socket.
    if (!isConnected(tls)) {
      this.destroy()
      return false
    }
    const begin = (socket: Socket): Receiver => {
      const asked = this.#contexts.asksForCertificates
      setTlsFacts(socket, new SocketFacts(socket, tls, asked))
      setProxyHeader(socket, proxyHeaderOf(this.#connection))
      // What OpenSSL sends at the end of a handshake may find the connection reset. Node does not
      // tell that, and completes no later write.
      setImmediate(() => {
        if (!isConnected(socket)) socket.destroy()
      })
      return take(socket)
    }
    tls.removeAllListeners('error')
    tls.removeAllListeners('end')
    if (whole) {
      emitTlsErrors(tls)
      begin(tls)
      return true
    }
    let socket: Socket | null = null
    const handle = takeTlsHandle(tls, () => socket?.destroy())
    if (handle === null) {
      emitTlsErrors(tls)
      readEvents(tls, begin(tls))
      return true
    }
    tls.on('error', () => {})
    socketOn(handle, tls.allowHalfOpen, (detached) => {
      socket = detached
      return begin(detached)
    })
    return true
  }

  /** Ends the connection. */
  destroy(): void {
    this.#over = true
    this.#socket.destroy()
  }

  #secure(): void {
    if (this.#over) return
    const refused = this.#certificateRefused()
    if (refused !== null) {
      this.#failed(refused)
      this.#socket.destroy()
      return
    }
    this.#over = true
    this.#owner.secured()
  }

  /** If a certificate is optional, the application learns of one that we do not trust. */
  #certificateRefused(): string | null {
    if (!this.#contexts.needsCertificates) return null
    const error = certificateError(this.#socket)
    return error === null ? null : `its certificate is refused: ${error}`
  }

  #failed(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#owner.failed(reason)
  }
}

/** Looks each fact up when it is asked for. */
class SocketFacts implements TlsFacts {
  readonly #socket: TLSSocket
  readonly #asked: boolean
  readonly serverName: string | null
  readonly alpn: string | null

  /**
   * @param handshake the socket of the handshake, which may have lost its handle to `socket`
   * @param asked whether the server has asked for a certificate
   */
  constructor(
    socket: Socket,
    handshake: TLSSocket & { servername?: string | false | null },
    asked: boolean,
  ) {
    this.#asked = asked
    // The methods of a TLSSocket that are used here need its handle and nothing else.
    this.#socket = socket as TLSSocket
    this.serverName = handshake.servername || null
    this.alpn = handshake.alpnProtocol || null
  }

  get protocol(): string {
    return TLSSocket.prototype.getProtocol.call(this.#socket) ?? ''
  }

  get cipher(): string {
    return TLSSocket.prototype.getCipher.call(this.#socket)?.name ?? ''
  }

  get resumed(): boolean {
    return TLSSocket.prototype.isSessionReused.call(this.#socket) ?? false
  }

  get client(): ClientIdentity | null {
    if (!this.#asked) return null
    const certificate = TLSSocket.prototype.getPeerX509Certificate.call(this.#socket) ?? null
    return { certificate, problem: certificate === null ? null : certificateError(this.#socket) }
  }
}

function reasonOf(error: Error & { reason?: string; code?: string }): string {
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return CLIENT_LEFT
  return error.reason ?? error.message
}
