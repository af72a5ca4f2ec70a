/** The driver of the command: signals, with the meaning that Gunicorn gives them. */
import type { HostProcess } from '../../process/host-process.ts'
import { isInForeground } from '../../process/other-process.ts'
import type { ArbiterActions, ArbiterDriver, DriverLog } from '../actions.ts'

/**
 * Calls the arbiter's actions for the signals of a process.
 *
 * | signal | action |
 * |---|---|
 * | TERM, INT | graceful stop |
 * | QUIT | with threads graceful stop, without quick stop; as in Gunicorn |
 * | INT, QUIT after any of these | quick stop |
 * | HUP | reload |
 * | USR1 | reopen the log files |
 * | TTIN, TTOU | one worker more, one less |
 * | USR2 | upgrade: start another Monoceros on the same sockets |
 * | WINCH | drain: stop the workers; HUP and TTIN start them again |
 */
export class SignalDriver implements ArbiterDriver {
  readonly #host: HostProcess

  constructor(host: HostProcess) {
    this.#host = host
  }

  start(actions: ArbiterActions, log: DriverLog): void {
    const host = this.#host
    host.on('SIGTERM', () => actions.stop('graceful', 'SIGTERM'))
    // A second one is for those who do not want to wait for the requests in progress.
    const again = () => actions.state === 'stopping'
    host.on('SIGINT', () => actions.stop(again() ? 'quick' : 'graceful', 'SIGINT'))
    host.on('SIGQUIT', () => actions.stop(again() ? 'quick' : actions.quitMode, 'SIGQUIT'))
    host.on('SIGHUP', () => void actions.reload('SIGHUP'))
    host.on('SIGUSR1', () => actions.reopenLogs('SIGUSR1'))
    host.on('SIGUSR2', () => void actions.upgrade('SIGUSR2'))
    host.on('SIGWINCH', () => {
      // The terminal sends it to its foreground processes whenever its window changes its size.
      if (isInForeground()) log.debug('SIGWINCH: ignored, because it comes from the terminal')
      else actions.drain('SIGWINCH')
    })
    host.on('SIGTTIN', () => actions.scale(1, 'SIGTTIN'))
    host.on('SIGTTOU', () => actions.scale(-1, 'SIGTTOU'))
  }
}
