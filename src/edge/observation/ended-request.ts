import type { Peer } from '../../http/exchange.ts'
import type { RequestHead } from '../../http/request-head.ts'
import { type ResponseHead, responseField } from '../../http/response-head.ts'
import type { RequestEnded } from '../../observe/request-events.ts'
import type { RequestTimes } from '../../observe/request-times.ts'
import type { RequestTrace } from '../../observe/request-trace.ts'
import { requestVariable } from './request-variable.ts'

/** A record that makes strings of the request only if a listener asks for them. */
export class EndedRequest implements RequestEnded {
  readonly status: number
  readonly bytes: number
  readonly startedAt: number
  readonly seconds: number
  readonly remoteAddress: string
  readonly #head: RequestHead
  readonly #peer: Peer
  /** Null if there was no response, or the engine made it. */
  readonly #response: ResponseHead | null

  /**
   * @param bytes of response body
   * @param startedAt milliseconds since 1970
   */
  constructor(
    head: RequestHead,
    peer: Peer,
    response: ResponseHead | null,
    status: number,
    bytes: number,
    startedAt: number,
  ) {
    this.status = status
    this.bytes = bytes
    this.startedAt = startedAt
    this.seconds = (performance.timeOrigin + performance.now() - startedAt) / 1000
    this.remoteAddress = peer.remoteAddress
    this.#head = head
    this.#peer = peer
    this.#response = response
  }

  get trace(): RequestTrace | null {
    return this.#head.trace
  }

  get times(): RequestTimes | null {
    return this.#head.times
  }

  get secure(): boolean {
    return this.#head.secure
  }

  get method(): string {
    return this.#head.method
  }

  get target(): string {
    return this.#head.target
  }

  get protocol(): string {
    return this.#head.protocol
  }

  get requestLine(): string {
    return this.#head.requestLine()
  }

  header(name: string): string | undefined {
    return this.#head.get(name)
  }

  responseHeader(name: string): string | undefined {
    return this.#response === null ? undefined : responseField(this.#response, name)
  }

  variable(name: string): string | undefined {
    return requestVariable(this.#head, this.#peer, name)
  }
}
