/** Thrown if what proxies say of one request contradicts itself or cannot be read. */
export class TrustError extends Error {
  /** A stable code, such as `scheme-conflict`. */
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
