import { type Coded, CodedError } from '../messages/coded.ts'

/** Thrown for problems that the user can solve; `message` has the problem and the advice. */
export class InstallError extends CodedError {
  /** `usage`: the command line has a mistake. */
  readonly code: 'usage' | 'failed'

  constructor(code: 'usage' | 'failed', message: Coded) {
    super(message)
    this.code = code
  }
}
