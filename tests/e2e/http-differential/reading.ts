import { deepStrictEqual } from 'node:assert'
import { Span } from '../../../src/bytes/span.ts'
import { HttpError } from '../../../src/http/errors.ts'
import type { BodyReceiver } from '../../../src/http/h1/body-receiver.ts'
import { ChunkedBody } from '../../../src/http/h1/chunked-body.ts'
import { FixedLengthBody } from '../../../src/http/h1/fixed-length-body.ts'
import type { H1RequestHead } from '../../../src/http/h1/request-head.ts'
import { RequestHeadParser } from '../../../src/http/h1/request-head-parser.ts'
import { DEFAULT_HEAD_LIMITS, type HeadLimits } from '../../../src/http/limits.ts'
import type { TargetForm } from '../../../src/http/request-head.ts'

/** A request as our engine's parts read it, everything decoded as latin-1. */
export interface ReadRequest {
  method: string
  target: string
  targetForm: TargetForm
  path: string
  query: string | null
  authority: string
  minorVersion: number
  fields: [name: string, value: string][]
  host: string | null
  contentLength: number
  chunked: boolean
  expectContinue: boolean
  keepAlive: boolean
  upgrade: boolean
  requestLine: string
  body: string
  /** The body has been read to its end. */
  complete: boolean
  /**
   * How many bytes of the connection come before the end of this request; -1 when it is not
   * complete.
   */
  end: number
}

interface Taken {
  head: H1RequestHead
  parts: Buffer[]
  body: BodyReceiver
  end: number
}

/** What became of all the bytes of one connection. */
export interface Reading {
  requests: ReadRequest[]
  refusal: { status: number; code: string; message: string } | null
  /** The bytes end within a head. */
  partialHead: boolean
  /** How many bytes were left alone, because the last request closes the connection. */
  left: number
}

/**
 * Reads `pieces` as one connection, as the connection does: heads and bodies in turn, until a
 * request is refused or one closes the connection (or is a CONNECT, after which other bytes than
 * HTTP would follow).
 */
export function readAll(
  pieces: Iterable<Buffer>,
  limits: HeadLimits = DEFAULT_HEAD_LIMITS,
): Reading {
  const parser = new RequestHeadParser(limits)
  const read: Taken[] = []
  let body: BodyReceiver | null = null
  let refusal: Reading['refusal'] = null
  let left = 0
  let closed = false
  let offset = 0
  for (const { piece, start, end } of embedded(pieces)) {
    const span = new Span().set(piece, start, end)
    while (span.length > 0 && !closed && refusal === null) {
      const before = span.start
      try {
        if (body === null) {
          parser.feed(span)
          offset += span.start - before
          if (parser.complete) {
            const { head } = parser
            body = bodyOf(head, limits)
            read.push({ head, parts: [], body, end: offset })
            parser.reset()
            // What follows the head of a CONNECT is no body, whatever its fields say (RFC 9110
            // §9.3.6).
            closed = head.method === 'CONNECT'
          }
        } else {
          const request = read.at(-1)!
          body.receive(span, (data) => request.parts.push(data))
          offset += span.start - before
          request.end = offset
        }
      } catch (error) {
        if (!(error instanceof HttpError)) throw error
        refusal = { status: error.status, code: error.code, message: error.message }
      }
      if (body?.done) {
        const { head } = read.at(-1)!
        closed = !head.keepAlive
        body = null
      }
    }
    if (refusal === null) left += span.length
  }
  // Described only now: later bytes must not change what earlier heads and bodies refer to.
  return {
    requests: read.map(describe),
    refusal,
    partialHead: refusal === null && parser.begun,
    left,
  }
}

/**
 * What {@link readAll} makes of `bytes`, having checked that it is the same whole, byte by byte and
 * at random splits.
 */
export function readAtEverySplit(bytes: Buffer, limits: HeadLimits = DEFAULT_HEAD_LIMITS): Reading {
  const whole = readAll([bytes], limits)
  deepStrictEqual(readAll(pieces(bytes, 1), limits), whole, 'fed byte by byte')
  let state = bytes.length + 1
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    return (state >>> 8) % below
  }
  for (const longest of [3, 20, 300]) {
    const cuts: Buffer[] = []
    for (let at = 0; at < bytes.length; ) {
      const length = Math.min(bytes.length - at, 1 + random(longest))
      cuts.push(bytes.subarray(at, at + length))
      at += length
    }
    deepStrictEqual(readAll(cuts, limits), whole, `fed in pieces of at most ${longest} bytes`)
  }
  return whole
}

/** `bytes` in pieces of `length`. */
export function pieces(bytes: Buffer, length: number): Buffer[] {
  const all: Buffer[] = []
  for (let at = 0; at < bytes.length; at += length) all.push(bytes.subarray(at, at + length))
  return all
}

/** Each piece in a buffer of its own with other bytes around it, which nobody may look at. */
function* embedded(
  pieces: Iterable<Buffer>,
): Iterable<{ piece: Buffer; start: number; end: number }> {
  let before = 0
  for (const bytes of pieces) {
    before = (before + 5) % 7
    const piece = Buffer.alloc(before + bytes.length + 3, 'X')
    bytes.copy(piece, before)
    yield { piece, start: before, end: before + bytes.length }
  }
}

function bodyOf(head: H1RequestHead, limits: HeadLimits): BodyReceiver {
  return head.chunked
    ? new ChunkedBody(limits)
    : new FixedLengthBody(Math.max(head.contentLength, 0))
}

function describe({ head, parts, body, end }: Taken): ReadRequest {
  const text = (start: number, end: number): string => head.bytes.toString('latin1', start, end)
  const fields = head.names.map((name, index): [string, string] => {
    const sent = text(head.fields[index * 4]!, head.fields[index * 4 + 1]!)
    deepStrictEqual(sent.toLowerCase(), name.lower)
    return [sent, head.value(index)]
  })
  deepStrictEqual(fields.length, head.fieldCount)
  return {
    method: head.method,
    target: head.target,
    targetForm: head.targetForm,
    path: text(head.pathStart, head.pathEnd),
    query: head.hasQuery ? text(head.queryStart, head.queryEnd) : null,
    authority: text(head.authorityStart, head.authorityEnd),
    minorVersion: head.minorVersion,
    fields,
    host: head.host < 0 ? null : head.value(head.host),
    contentLength: head.contentLength,
    chunked: head.chunked,
    expectContinue: head.expectContinue,
    keepAlive: head.keepAlive,
    upgrade: head.upgrade,
    requestLine: head.requestLine(),
    body: Buffer.concat(parts).toString('latin1'),
    complete: body.done,
    end: body.done ? end : -1,
  }
}
