import { CertificateError } from '../certificates/certificate-error.ts'
import { EXIT } from '../process/exit-status.ts'
import { AcceptorFailure } from './acceptor-exit.ts'
import { ControlSocketError } from './control/control-socket.ts'
import { HookError } from './hooks/hook-calls.ts'
import { IdentityError } from './identity.ts'
import { ListenError } from './listeners.ts'
import { PidfileError } from './pidfile.ts'

/** Why a server could not start: something that the user can solve. */
export type StartFailure =
  | ListenError
  | IdentityError
  | PidfileError
  | HookError
  | AcceptorFailure
  | CertificateError
  | ControlSocketError

/** Whether this is one, and not a bug. */
export function isStartFailure(error: unknown): error is StartFailure {
  return (
    error instanceof ListenError ||
    error instanceof IdentityError ||
    error instanceof PidfileError ||
    error instanceof HookError ||
    error instanceof AcceptorFailure ||
    error instanceof CertificateError ||
    error instanceof ControlSocketError
  )
}

/** The exit status for it, one of `EXIT.server`. */
export function statusOf(failure: StartFailure): number {
  return failure.code === 'application-load' ? EXIT.server.NOT_LOADED : EXIT.server.FAILED
}
