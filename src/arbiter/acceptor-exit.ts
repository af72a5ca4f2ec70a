/** How acceptors end, and why they cannot start. */
import type { ChildProcess } from 'node:child_process'
import type { FailureKind } from '../acceptor/messages.ts'
import { type Coded, CodedError } from '../messages/coded.ts'

/** How a process ended: one of the two is null, or both if it could not be started. */
export interface AcceptorExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** Why it could not be started. */
  readonly reason?: string
}

/**
 * Why an acceptor could not start or reload. `message` is for the log: a traceback, or one line.
 */
export class AcceptorFailure extends CodedError {
  readonly code: FailureKind

  constructor(kind: FailureKind, text: Coded) {
    super(text)
    this.code = kind
  }
}

/**
 * How an acceptor ended, in words.
 *
 * @example describeExit(4711, { code: null, signal: 'SIGKILL' })
 * // 'Acceptor 4711 was killed by SIGKILL'
 */
export function describeExit(pid: number, { code, signal, reason }: AcceptorExit): string {
  if (pid === 0) return `An acceptor could not be started${reason ? `: ${reason}` : ''}`
  return signal === null
    ? `Acceptor ${pid} exited with status ${code}`
    : `Acceptor ${pid} was killed by ${signal}`
}

/** Resolves when a child process has ended, or could not be started. */
export function exitOf(child: ChildProcess): Promise<AcceptorExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.on('error', (error: NodeJS.ErrnoException) => {
      // Sending to it or killing it failed, or it could not be started: then there is no exit.
      if (child.pid !== undefined) return
      const reason =
        error.code === 'EACCES'
          ? `the user that it runs as may not run ${child.spawnfile}`
          : error.message
      resolve({ code: null, signal: null, reason })
    })
  })
}
