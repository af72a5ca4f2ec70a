/** How acceptors end, and why they cannot start. */
import type { ChildProcess } from 'node:child_process'
import type { FailureKind } from '../acceptor/messages.ts'

/** How a process ended: one of the two is null, or both if it could not be started. */
export interface AcceptorExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/**
 * Why an acceptor could not start or reload. `message` is for the log: a traceback, or one line.
 */
export class AcceptorFailure extends Error {
  readonly code: FailureKind

  constructor(kind: FailureKind, text: string) {
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
export function describeExit(pid: number, { code, signal }: AcceptorExit): string {
  if (pid === 0) return 'An acceptor could not be started'
  return signal === null
    ? `Acceptor ${pid} exited with status ${code}`
    : `Acceptor ${pid} was killed by ${signal}`
}

/** Resolves when a child process has ended, or could not be started. */
export function exitOf(child: ChildProcess): Promise<AcceptorExit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
    child.on('error', () => {
      // Sending to it or killing it failed, or it could not be started: then there is no exit.
      if (child.pid === undefined) resolve({ code: null, signal: null })
    })
  })
}
