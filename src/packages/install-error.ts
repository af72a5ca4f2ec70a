/** Thrown for problems that the user can solve; `message` has the problem and the advice. */
export class InstallError extends Error {
  /** `usage`: the command line has a mistake. */
  readonly code: 'usage' | 'failed'

  constructor(code: 'usage' | 'failed', message: string) {
    super(message)
    this.code = code
  }
}
