/**
 * Asks an acceptor that runs an application in its own event loop what that loop is doing. The
 * answer comes from a thread beside it (`acceptor/stack-thread.ts`), so it also works while the
 * loop is blocked.
 */
import type { Socket } from 'node:net'
import type { StackAnswer } from '../acceptor/stack-answer.ts'
import type { StackReport } from '../runtimes/load-watch.ts'

/** How long an answer may take, in milliseconds; the thread's own limits are shorter. */
const ANSWER_MS = 3500

/** The arbiter's end of the channel. */
export class StackChannel {
  readonly #socket: Socket | undefined
  #waiting: ((answer: StackAnswer) => void) | null = null

  /** @param socket undefined if the process could not be started */
  constructor(socket: Socket | undefined) {
    this.#socket = socket
    let text = ''
    socket?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        this.#waiting?.(JSON.parse(text.slice(0, end)) as StackAnswer)
        text = text.slice(end + 1)
      }
    })
    socket?.on('error', () => {})
  }

  /** What the application is doing. It never rejects. */
  async ask(): Promise<StackReport> {
    const answer = await new Promise<StackAnswer>((resolve) => {
      this.#waiting = resolve
      setTimeout(() => resolve({ kind: 'unknown' }), ANSWER_MS).unref()
      this.#socket?.write('?')
    })
    this.#waiting = null
    return describe(answer)
  }
}

function describe(answer: StackAnswer): StackReport {
  switch (answer.kind) {
    case 'stack':
      return {
        text: `Stack (most recent call first):\n    ${answer.frames.join('\n    ')}`,
        isStack: true,
      }
    case 'free':
      return {
        text:
          answer.doing === ''
            ? 'Its event loop runs, so there is no stack.'
            : `Its event loop runs: ${answer.doing}. An await has no stack.`,
        isStack: false,
      }
    case 'unknown':
      return {
        text:
          'There is no stack, because it runs no JavaScript: it waits in a system call, ' +
          'runs compiled code, or is still starting.',
        isStack: false,
      }
  }
}
