import { quoteBytes } from '../../bytes/quoted.ts'
import { authorityHostEnd } from '../authority.ts'
import { contentLength, tabWithin } from '../content-length.ts'
import { HttpError } from '../errors.ts'
import {
  CONNECTION,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  EXPECT,
  HOST,
  PROXY_CONNECTION,
  TRANSFER_ENCODING,
  UPGRADE,
} from '../field-names.ts'
import { duplicate, refusedUnderscore } from '../head-refusals.ts'
import type { FieldLine } from './field-line.ts'
import { checkTransferEncoding, listElements } from './framing-fields.ts'
import { bothLengths } from './head-refusals.ts'
import type { H1RequestHead } from './request-head.ts'

const KEEP_ALIVE = Buffer.from('keep-alive')

/**
 * The fields of a request that the engine itself acts upon: those that frame the message (RFC 9112
 * §6), those about the connection (§9), and those of which there may be only one.
 */
export class SpecialFields {
  #hasContentType = false
  #hasTransferEncoding = false
  #expectsContinue = false
  #upgradeOffered = false
  #closeAsked = false
  #keepAliveAsked = false
  #upgradeAsked = false

  /** Prepares for the next request. */
  reset(): void {
    this.#hasContentType = false
    this.#hasTransferEncoding = false
    this.#expectsContinue = false
    this.#upgradeOffered = false
    this.#closeAsked = false
    this.#keepAliveAsked = false
    this.#upgradeAsked = false
  }

  /**
   * Takes one of these fields (one whose name's id is below `SPECIAL_NAMES`), before it is counted
   * in the head.
   *
   * @throws HttpError when it, or a second one of its kind, is refused
   */
  take(line: FieldLine, head: H1RequestHead): void {
    const { bytes } = head
    const { valueStart, valueEnd } = line
    switch (line.name.id) {
      case HOST:
        if (head.host >= 0) throw duplicate('two-hosts', 'Host')
        // An empty host is refused with the malformed ones: it would make the request's URI an
        // invalid one (RFC 9110 §4.2.1, RFC 9112 §3.3).
        if (authorityHostEnd(bytes, valueStart, valueEnd) <= valueStart) {
          const value = quoteBytes(bytes, valueStart, valueEnd)
          throw new HttpError(400, 'bad-host', `Host is not a host: ${value}`)
        }
        head.host = head.fieldCount
        return
      case CONTENT_LENGTH:
        if (head.contentLength >= 0) throw duplicate('two-content-lengths', 'Content-Length')
        head.contentLength = contentLength(bytes, line)
        if (this.#hasTransferEncoding) throw bothLengths()
        return
      case TRANSFER_ENCODING:
        // Its value is checked when the head is complete: several lines are one list (RFC 9110
        // §5.3).
        this.#hasTransferEncoding = true
        // §6.1: in a message that is not HTTP/1.1 its framing is faulty, whatever its value.
        if (head.minorVersion === 0) {
          throw new HttpError(
            400,
            'transfer-encoding-in-http-1.0',
            'Transfer-Encoding is not allowed in an HTTP/1.0 request',
          )
        }
        if (head.contentLength >= 0) throw bothLengths()
        return
      case CONTENT_TYPE:
        if (this.#hasContentType) throw duplicate('two-content-types', 'Content-Type')
        this.#hasContentType = true
        return
      case CONNECTION:
        this.#takeConnection(line, head)
        return
      case PROXY_CONNECTION:
        // No standard has it, but some recipients heed it, so that an intermediary may take the
        // connection for closing (RFC 9112 appendix C.2.2). To close is always allowed; its
        // `keep-alive` changes nothing.
        if (listElements(bytes, valueStart, valueEnd).includes('close')) this.#closeAsked = true
        return
      case EXPECT:
        this.#takeExpect(line, head)
        return
      case UPGRADE:
        this.#upgradeOffered = true
        return
      default:
        // Content_Length and the like can only be attempts to forge the real field, so they are
        // refused even if such names are allowed otherwise.
        throw refusedUnderscore(bytes, line, 'could be taken for another')
    }
  }

  /**
   * The head has all its fields: sets the properties of the head that depend on several of them.
   *
   * @throws HttpError if the fields contradict each other
   */
  finish(head: H1RequestHead): void {
    if (head.minorVersion === 1 && head.host < 0) {
      throw new HttpError(400, 'no-host', 'The HTTP/1.1 request has no Host field')
    }
    if (this.#hasTransferEncoding) {
      checkTransferEncoding(head.get('transfer-encoding')!)
      head.chunked = true
    }
    // What follows a CONNECT is for the other end of the tunnel, not HTTP (RFC 9110 §9.3.6).
    head.keepAlive =
      !this.#closeAsked &&
      (head.minorVersion === 1 || this.#keepAliveAsked) &&
      head.method !== 'CONNECT'
    head.upgrade = this.#upgradeOffered && this.#upgradeAsked
    head.expectContinue = this.#expectsContinue && head.hasBody
  }

  /** RFC 9110 §10.1.1; HTTP/1.0 has no expectations. */
  #takeExpect({ valueStart, valueEnd }: FieldLine, head: H1RequestHead): void {
    if (head.minorVersion === 0) return
    const { bytes } = head
    if (bytes.toString('latin1', valueStart, valueEnd).toLowerCase() !== '100-continue') {
      const value = quoteBytes(bytes, valueStart, valueEnd)
      throw new HttpError(417, 'unknown-expectation', `Unknown expectation: ${value}`)
    }
    this.#expectsContinue = true
  }

  /** Connection is a list of tokens in any case (RFC 9110 §7.6.1). Unknown ones are ignored. */
  #takeConnection({ valueStart, valueEnd, end }: FieldLine, head: H1RequestHead): void {
    const { bytes } = head
    // Nearly all requests have this value, which changes nothing.
    if (valueEnd - valueStart === KEEP_ALIVE.length && head.minorVersion === 1) {
      let i = 0
      while (i < KEEP_ALIVE.length && (bytes[valueStart + i]! | 0x20) === (KEEP_ALIVE[i]! | 0x20))
        i++
      if (i === KEEP_ALIVE.length) return
    }
    for (const option of listElements(bytes, valueStart, valueEnd)) {
      switch (option) {
        case 'close':
          this.#closeAsked = true
          break
        case 'keep-alive':
          // Not all recipients find it beside a tab (llhttp). To close, in HTTP/1.0, is always
          // allowed.
          if (!tabWithin(bytes, valueStart, end)) this.#keepAliveAsked = true
          break
        case 'upgrade':
          this.#upgradeAsked = true
          break
      }
    }
  }
}
