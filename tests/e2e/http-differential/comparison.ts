import { METHODS } from 'node:http'
import { DEFAULT_HEAD_LIMITS } from '../../../src/http/limits.ts'
import { canonical, essence } from './canonical.ts'
import { type SeenRequest, type Sight, seenByNode } from './llhttp.ts'
import { type Reading, type ReadRequest, readAll } from './reading.ts'

const NO_LIMITS = { ...DEFAULT_HEAD_LIMITS, requestLine: 0, fieldSize: 0, head: 0 }

/**
 * Reads `bytes` as one connection with our parser and with Node's, and says where ours is the laxer
 * one: it accepts what llhttp refuses, or reads it differently. Null when there is no such place.
 * That ours refuses more is as it should be.
 *
 * There are exceptions: extension methods and Upgrade, which are not about where a message ends,
 * and what the standard has a recipient accept and llhttp refuses (`canonical.ts`). Around all of
 * them everything else is compared all the same.
 */
export function unsafeDisagreement(bytes: Buffer, pieces: Buffer[] = [bytes]): string | null {
  // No limit may decide before syntax does; llhttp's are lifted too.
  const reading = readAll(pieces, NO_LIMITS)
  const plain = canonical(bytes, reading)
  if (typeof plain === 'string') return plain
  if (!plain.equals(bytes)) return differenceToPlain(reading, plain) ?? unsafeDisagreement(plain)
  const sight = seenByNode(bytes)
  const extension = reading.requests.findIndex(({ method }) => !METHODS.includes(method))
  if (extension >= 0 && extension === sight.requests.length && sight.error !== null) {
    return withoutExtensionMethod(bytes, reading, extension)
  }
  const last = sight.requests.length - 1
  if (
    sight.error === null &&
    last >= 0 &&
    last < reading.requests.length &&
    upgrades(reading.requests[last]!)
  ) {
    return aroundUpgrade(bytes, reading, sight, last)
  }
  return compare(reading, sight)
}

/** Whether ours reads the canonical form of a connection as it read the connection. */
function differenceToPlain(reading: Reading, plain: Buffer): string | null {
  const again = readAll([plain], NO_LIMITS)
  for (const [index, request] of reading.requests.entries()) {
    const before = JSON.stringify(essence(request))
    const now =
      index < again.requests.length ? JSON.stringify(essence(again.requests[index]!)) : 'nothing'
    if (before !== now)
      return `request ${index} was read as ${before}, its canonical form as ${now}`
  }
  return null
}

/**
 * llhttp has a list of methods; RFC 9110 §9.1 and §16.1 have a registry that anybody may add to,
 * and what a server does not know it answers with 501 or 405. A method does not decide about
 * framing but for CONNECT. (The methods of RTSP, and PRI, llhttp knows but not for HTTP/1.) So the
 * same bytes are compared with a method that llhttp knows in its place.
 */
function withoutExtensionMethod(bytes: Buffer, reading: Reading, index: number): string | null {
  const before = index === 0 ? 0 : reading.requests[index - 1]!.end
  const at = bytes.subarray(before).toString('latin1').startsWith('\r\n') ? before + 2 : before
  const rest = bytes.subarray(at + reading.requests[index]!.method.length)
  return unsafeDisagreement(Buffer.concat([bytes.subarray(0, at), Buffer.from('GET'), rest]))
}

/**
 * llhttp silently stops after a request with Upgrade, though Node goes on in HTTP/1.1 when nobody
 * takes the upgrade. A server may ignore Upgrade and continue (RFC 9110 §7.8), as ours does. So
 * what follows is compared as a connection of its own.
 */
function aroundUpgrade(
  bytes: Buffer,
  reading: Reading,
  sight: Sight,
  index: number,
): string | null {
  const first = { ...reading, requests: reading.requests.slice(0, index + 1) }
  const { complete, keepAlive, end } = first.requests[index]!
  const difference = compare(first, sight)
  if (difference !== null || !complete || !keepAlive) return difference
  return unsafeDisagreement(bytes.subarray(end))
}

/** What llhttp takes for an upgrade: it also heeds Proxy-Connection. */
function upgrades({ fields }: ReadRequest): boolean {
  const asked = fields.some(
    ([name, value]) => /^(proxy-)?connection$/i.test(name) && /upgrade/i.test(value),
  )
  return asked && fields.some(([name]) => /^upgrade$/i.test(name))
}

/**
 * Compares what ours made of a connection with what Node made of it; see {@link
 * unsafeDisagreement}.
 */
export function compare(reading: Reading, sight: Sight): string | null {
  for (const [index, ours] of reading.requests.entries()) {
    const theirs = sight.requests[index]
    if (theirs === undefined) return `request ${index} was refused by llhttp: ${sight.error}`
    const difference = differenceOf(ours, theirs)
    if (difference !== null) return `request ${index}: ${difference}`
  }
  // A connection that ours closes has nothing more to be read differently.
  if (reading.refusal !== null || reading.left > 0) return null
  if (sight.requests.length > reading.requests.length) {
    return `llhttp saw ${sight.requests.length} requests, ours ${reading.requests.length}`
  }
  const last = reading.requests.at(-1)
  // An incomplete head has not been accepted yet; it may be refused with the next byte.
  if (sight.error !== null && last !== undefined && !reading.partialHead) {
    return `llhttp refused what ours took: ${sight.error}`
  }
  return null
}

function differenceOf(ours: ReadRequest, theirs: SeenRequest): string | null {
  if (ours.method !== theirs.method) return `method ${ours.method}, not ${theirs.method}`
  if (ours.target !== theirs.target) return `target ${ours.target}, not ${theirs.target}`
  if (`1.${ours.minorVersion}` !== theirs.version)
    return `version 1.${ours.minorVersion}, not ${theirs.version}`
  // Ours drops names with an underscore (`headerMap`).
  const kept = theirs.fields.filter(([name]) => !name.includes('_'))
  const fields = [JSON.stringify(ours.fields), JSON.stringify(kept)]
  if (fields[0] !== fields[1]) return `fields ${fields[0]}, not ${fields[1]}`
  if (!theirs.body.startsWith(ours.body)) {
    return `body ${JSON.stringify(ours.body)}, not ${JSON.stringify(theirs.body)}`
  }
  if (ours.complete && !theirs.complete) return 'complete, though not to llhttp'
  if (ours.complete && ours.body !== theirs.body) return 'a shorter body'
  return null
}
