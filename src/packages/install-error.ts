/** A mistake or a mishap that the user can do something about: `message` says what. */
export class InstallError extends Error {
  /** `usage` for what is wrong with the command itself. */
  readonly code: 'usage' | 'failed'

  constructor(code: 'usage' | 'failed', message: string) {
    super(message)
    this.code = code
  }
}
