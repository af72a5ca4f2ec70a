import { CodedError } from '../messages/coded.ts'

/** Thrown if a certificate or a key cannot be used; `message` has the file and what to do. */
export class CertificateError extends CodedError {
  readonly code = 'certificate'
}
