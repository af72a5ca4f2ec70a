import { type Coded, CodedError } from '../../messages/coded.ts'

/** A worker ended before it was ready, for another reason than its application. */
export class WorkerStartError extends CodedError {
  readonly code = 'worker-start'
  /** The pool itself ended it, because it was not needed any more. */
  readonly expected: boolean

  constructor(message: Coded, expected = false) {
    super(message)
    this.expected = expected
  }
}
