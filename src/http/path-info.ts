import { Span } from '../bytes/span.ts'
import { decodePercentBytes, hasPercent } from '../semantics/percent.ts'
import { SLASH } from '../semantics/syntax.ts'
import type { RequestHead } from './request-head.ts'

const ROOT = Buffer.of(SLASH)

/** Finds `PATH_INFO` (PEP 3333 "environ Variables"): the path below the root path, decoded. */
export class PathInfo {
  readonly #rootPath: Buffer
  readonly #span = new Span()
  #scratch = Buffer.alloc(8192)

  /** @param rootPath what `SCRIPT_NAME` is, as UTF-8: empty, or a path such as `/shop` */
  constructor(rootPath: Buffer) {
    this.#rootPath = rootPath
  }

  /**
   * A proxy may or may not have removed the root path; both kinds exist.
   *
   * @returns a span that is valid until the next call
   */
  of(head: RequestHead): Span {
    const { bytes, pathStart, pathEnd } = head
    const span = this.#span
    if (head.targetForm === 'asterisk') return span.set(bytes, pathStart, pathStart)
    // RFC 9112 §3.2.4: without a path, OPTIONS is about the server itself; for others it is "/".
    if (pathStart === pathEnd && head.method !== 'OPTIONS') return span.set(ROOT, 0, 1)
    span.set(bytes, pathStart, pathEnd)
    if (hasPercent(bytes, pathStart, pathEnd)) {
      const length = pathEnd - pathStart
      if (this.#scratch.length < length) this.#scratch = Buffer.alloc(length)
      span.set(this.#scratch, 0, decodePercentBytes(span.view(), this.#scratch))
    }
    const rootPath =
      head.scriptName === null ? this.#rootPath : Buffer.from(head.scriptName, 'latin1')
    if (rootPath.length !== 0 && startsWithPath(span, rootPath)) span.start += rootPath.length
    return span
  }
}

/** Whether a path is `prefix`, or below it. */
function startsWithPath({ bytes, start, end }: Span, prefix: Buffer): boolean {
  const prefixEnd = start + prefix.length
  if (prefixEnd > end || (prefixEnd < end && bytes[prefixEnd] !== SLASH)) return false
  for (let i = 0; i < prefix.length; i++) {
    if (bytes[start + i] !== prefix[i]) return false
  }
  return true
}
