import { decodeText, latin1Text } from '../text.ts'
import type { ErrorStream, ResponseHeaders, WSGIEnvironment } from '../types.ts'
import { type TextView, textViews, undecodedHint, undecodedInBytes } from '../undecoded-text.ts'

/** Types of content that are text. */
const TEXT = /^\s*(text\/|application\/(.*\+)?(json|xml)\b|application\/javascript\b)/i
/** How much of each piece of a body is looked at, in bytes. */
const LOOKED_AT = 64 * 1024

/**
 * Looks for text that was not decoded, or not encoded (PEP 3333 "Unicode Issues"). Neither is
 * certain: an application may show a variable byte by byte, and a header may be latin-1. So it
 * breaks no rule, and is written to `wsgi.errors`, each kind once for an application.
 */
export class TextWatch {
  readonly #views: readonly TextView[]
  readonly #errors: ErrorStream
  readonly #told: Set<string>
  #isText = false

  /** @param told what this application was told already */
  constructor(environ: WSGIEnvironment, errors: ErrorStream, told: Set<string>) {
    // Before the application may change its environ.
    this.#views = textViews(environ)
    this.#errors = errors
    this.#told = told
  }

  head(headers: ResponseHeaders): void {
    this.#isText = false
    for (const [name, value] of headers) {
      if (name.toLowerCase() === 'content-type') this.#isText = TEXT.test(value)
      const view = undecodedInBytes(value, this.#views)
      if (view !== null) this.#tell('undecoded header', `the header ${name} ${undecodedHint(view)}`)
      else if (decodeText(value).includes('\ufffd')) {
        this.#tell(
          'header',
          `the header ${name} has characters beyond ASCII that are not UTF-8: ` +
            'use encodeText() if it is text',
        )
      }
    }
  }

  piece(bytes: Uint8Array): void {
    if (!this.#isText || this.#views.length === 0) return
    const view = undecodedInBytes(latin1Text(bytes.subarray(0, LOOKED_AT)), this.#views)
    if (view !== null) this.#tell('body', `the body of a response ${undecodedHint(view)}`)
  }

  #tell(kind: 'header' | 'undecoded header' | 'body', what: string): void {
    if (this.#told.has(kind)) return
    this.#told.add(kind)
    try {
      this.#errors.write(`validator: ${what} (this is said once)\n`)
    } catch {
      // What is only a hint must not fail the request.
    }
  }
}
