import { CodedError } from '../messages/coded.ts'

/**
 * The application could not be loaded. `message` is a traceback, or one line if the reference to
 * the application is wrong.
 */
export class ApplicationLoadError extends CodedError {
  readonly code = 'application-load'
}
