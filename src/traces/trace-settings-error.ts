import { CodedError } from '../messages/coded.ts'

/** Thrown for a variable of OpenTelemetry with a value that cannot be used. `message` names it. */
export class TraceSettingsError extends CodedError {
  readonly code = 'bad-otel-variable'
}
