import { type Coded, CodedError } from '../messages/coded.ts'

/** The kinds of mistakes in settings. */
export type SettingsErrorCode =
  | 'unknown-flag'
  | 'missing-value'
  | 'unwanted-value'
  | 'bad-value'
  | 'bad-arguments'
  | 'two-applications'
  | 'no-application'
  | 'unsupported'
  | 'config-file'
  | 'unknown-key'

/**
 * Thrown for a user's mistake in flags, environment or config file. `message` is one line with the
 * value and what to do.
 */
export class SettingsError extends CodedError {
  readonly code: SettingsErrorCode

  constructor(code: SettingsErrorCode, message: Coded) {
    super(message)
    this.code = code
  }
}

/**
 * A value for an error message: in quotes, on one line, shortened.
 *
 * @example quoted('a\nb') // '"a\\nb"'
 */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  // JSON does not escape DEL, C1 controls and line separators.
  const plain = text.replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return plain.length > 120 ? `${plain.slice(0, 117)}...` : plain
}
