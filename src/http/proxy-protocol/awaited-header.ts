import type { Socket } from 'node:net'
import { Span } from '../../bytes/span.ts'
import {
  type ProxyVersions,
  parseProxyHeader,
} from '../../transport/proxy-protocol/header-parser.ts'
import { type ProxyHeader, setProxyHeader } from '../../transport/proxy-protocol/proxy-header.ts'
import { reset } from '../../transport/reset.ts'
import type { Connection, ConnectionContext, ConnectionKind, HeaderHost } from '../connection.ts'
import { type Deadlined, NEVER } from '../deadlines.ts'
import { ListedConnection } from '../listed-connection.ts'
import type { Peer } from '../peer.ts'

/** Who may send headers of the PROXY protocol, and which. */
export interface HeaderGateOptions {
  readonly versions: ProxyVersions
  /** Whether connections from this address begin with a header; `''` for a unix socket. */
  readonly expects: (remoteAddress: string) => boolean
  /** Whether the header may say that the client used TLS. */
  readonly believesTls: boolean
}

/**
 * A connection until it is known whether it begins with a header of the PROXY protocol, and with
 * which. After that it only passes on what is read.
 *
 * A peer that may send headers must send one: the specification forbids to guess (§2), because a
 * client that is let through to us could send one of its own. A peer that may not is served without
 * one.
 */
export class AwaitedHeader extends ListedConnection implements Connection, Deadlined {
  readonly #socket: Socket
  readonly #context: ConnectionContext
  readonly #options: HeaderGateOptions
  readonly #host: HeaderHost
  readonly #sender: string
  readonly #expected: boolean
  readonly #startedAt = Date.now()
  #deadline: number
  /** What has come so far; null while nothing has. */
  #bytes: Buffer | null = null
  #over = false
  /** Takes what is read from now on. */
  #next: Connection | null = null

  constructor(
    socket: Socket,
    context: ConnectionContext,
    options: HeaderGateOptions,
    host: HeaderHost,
  ) {
    super()
    this.#socket = socket
    this.#context = context
    this.#options = options
    this.#host = host
    this.#sender = socket.remoteAddress ?? ''
    this.#expected = options.expects(this.#sender)
    this.#deadline = context.deadlines.in(context.timeouts.header)
    context.deadlines.add(this)
    context.idle.addSilent(this)
    socket.on('error', ignore)
    socket.on('end', this.#left)
    socket.on('close', this.#left)
  }

  get kind(): ConnectionKind {
    return 'opening'
  }

  /** No request can be lost with it, until another connection has taken its place. */
  get idle(): boolean {
    return this.#next === null
  }

  get takesLent(): boolean {
    return this.#next?.takesLent ?? false
  }

  received(bytes: Span): void {
    if (this.#next !== null) return this.#next.received(bytes)
    if (this.#over) return
    const all =
      this.#bytes === null ? Buffer.from(bytes.view()) : Buffer.concat([this.#bytes, bytes.view()])
    const { versions } = this.#options
    const beginning = parseProxyHeader(all, this.#expected ? versions : 'auto')
    switch (beginning.kind) {
      case 'incomplete':
        this.#context.memory.add(all.length - (this.#bytes?.length ?? 0))
        this.#bytes = all
        return
      case 'absent':
        if (this.#expected) this.#refuse(NO_HEADER)
        else this.#proceed(null, all)
        return
      case 'malformed':
        if (this.#expected) this.#reset(`a header of the PROXY protocol: ${beginning.reason}`)
        else this.#refuse(NOT_ALLOWED)
        return
      case 'header': {
        if (!this.#expected) return this.#refuse(NOT_ALLOWED)
        const { header, length } = beginning
        const secure = header.secure && this.#options.believesTls
        this.#proceed({ ...header, secure, sender: this.#sender }, all.subarray(length))
      }
    }
  }

  /** What comes after the header is for the next one. */
  #proceed(header: ProxyHeader | null, rest: Buffer): void {
    const socket = this.#socket
    setProxyHeader(socket, header)
    this.#end()
    socket.off('error', ignore)
    socket.off('end', this.#left)
    socket.off('close', this.#left)
    const next = this.#host.proceed(this, socket)
    this.#next = next
    // Its address may have had too many connections.
    if (rest.length > 0 && !socket.destroyed) next.received(new Span().set(rest, 0, rest.length))
  }

  checkDeadlines(now: number): void {
    if (this.#deadline > now) return
    if (this.#bytes === null) this.destroy()
    else this.#reset('the header of the PROXY protocol took too long (header_timeout)', 408)
  }

  closeWhenIdle(): void {
    this.closeIdle()
  }

  closeIdle(): void {
    if (this.idle) this.destroy()
  }

  destroy(): void {
    if (this.#next !== null) return this.#next.destroy()
    if (this.#over) return
    this.#end()
    this.#context.closed(this)
    this.#socket.destroy()
  }

  /** It holds less than a connection costs the kernel. */
  relieve(): void {}

  readonly #left = (): void => {
    if (this.#bytes === null) this.destroy()
    else this.#reset('the connection ended within a header of the PROXY protocol')
  }

  #reset(reason: string, status = 400): void {
    if (this.#over) return
    this.#report(status, reason)
    this.#end()
    this.#context.closed(this)
    reset(this.#socket)
  }

  /** Says what is wrong to who may be able to read it. */
  #refuse(reason: string): void {
    if (!this.#host.plain) return this.#reset(reason)
    this.#report(400, reason)
    this.#end()
    this.#context.closed(this)
    this.#host.turnAway(this.#socket, ANSWER)
  }

  #report(status: number, reason: string): void {
    this.#context.refused({
      peer: this.#peer(),
      status,
      reason,
      code: 'proxy-header',
      requestLine: '',
      gaveUp: false,
      begun: false,
      startedAt: this.#startedAt,
    })
  }

  #peer(): Peer {
    const socket = this.#socket
    return {
      remoteAddress: this.#sender,
      remotePort: socket.remotePort ?? 0,
      localAddress: socket.localAddress ?? '',
      localPort: socket.localPort ?? 0,
      encrypted: false,
      tls: null,
      environPart: null,
    }
  }

  #end(): void {
    this.#over = true
    this.#deadline = NEVER
    this.#context.memory.add(-(this.#bytes?.length ?? 0))
    this.#bytes = null
    this.idleIn?.delete(this)
    this.#context.deadlines.delete(this)
  }
}

const NO_HEADER =
  'it is without a header of the PROXY protocol, which this peer must send (proxy_allow_ips)'
const NOT_ALLOWED = 'a header of the PROXY protocol from a peer that is not in proxy_allow_ips'

/** One of the server's small answers, on a connection that no version of HTTP has taken over. */
const ANSWER =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n' +
  'Content-Length: 16\r\nConnection: close\r\n\r\n400 Bad Request\n'

function ignore(): void {}
