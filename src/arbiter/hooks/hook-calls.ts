import type { LogLevel } from '../../logging/error-log.ts'
import { type Coded, CodedError, coded } from '../../messages/coded.ts'
import type { HookArguments, HookHost, HookNews, ServerHook } from './hook-host.ts'

/** A hook raised, or did not return in time. The message is for the log. */
export class HookError extends CodedError {
  readonly code = 'hook'
}

export interface HookCallsOptions {
  readonly host: HookHost
  readonly log: (level: LogLevel, text: Coded) => void
  /** How long a hook may take, in seconds; 0 for no limit. */
  readonly limit: number
}

const NONE_ANY_MORE = 'no hook of the server is called any more until it is reloaded'

/** When the log first names a hook that has not returned; then after twice that, and so on. */
const FIRST_WARNING_MS = 10_000

/**
 * Calls the hooks of one configuration. A hook that does not return is named in the log. When its
 * time is over, or the process of the hooks has ended, the hooks of this configuration are not
 * called any more: the server goes on without them.
 */
export class HookCalls {
  readonly #host: HookHost
  readonly #log: (level: LogLevel, text: Coded) => void
  readonly #limit: number
  #lost = false

  constructor({ host, log, limit }: HookCallsOptions) {
    this.#host = host
    this.#log = log
    this.#limit = limit
    host.logWith(log)
  }

  has(hook: ServerHook): boolean {
    return !this.#lost && !this.#host.isGone && this.#host.hooks.includes(hook)
  }

  tell(news: HookNews): void {
    if (!this.#lost) this.#host.tell(news)
  }

  /**
   * Calls a hook, if there is one.
   *
   * @param limit how long it may take, in seconds
   * @throws HookError
   */
  async call(hook: ServerHook, args: HookArguments, limit = this.#limit): Promise<void> {
    if (!this.has(hook)) return
    const watch = this.#watch(hook, limit)
    try {
      await Promise.race([this.#host.call(hook, args), watch.late])
    } catch (error) {
      if (error instanceof HookError) throw error
      const { message } = error as Error
      throw new HookError(
        this.#host.isGone
          ? coded('MONO5502', `The hook ${hook} did not return: ${message}; ${NONE_ANY_MORE}`)
          : coded('MONO5501', `The hook ${hook} raised\n${message}`),
      )
    } finally {
      watch.end()
    }
  }

  /** Warns while a hook does not return; `late` is rejected when its time is over. */
  #watch(hook: ServerHook, limit: number): { late: Promise<never>; end(): void } {
    let timer: NodeJS.Timeout
    let deadline: NodeJS.Timeout | undefined
    const warnAfter = (total: number, wait: number) => {
      timer = setTimeout(() => {
        this.#log(
          'warning',
          coded('MONO5502', `The hook ${hook} has not returned for ${total / 1000} s`),
        )
        warnAfter(total * 2, total)
      }, wait)
    }
    warnAfter(FIRST_WARNING_MS, FIRST_WARNING_MS)
    const late = new Promise<never>((_, reject) => {
      if (limit === 0) return
      deadline = setTimeout(() => {
        const text = `The hook ${hook} did not return within ${limit} s; ${NONE_ANY_MORE}`
        reject(new HookError(coded('MONO5502', text)))
        this.#lost = true
        this.#host.kill()
      }, limit * 1000)
    })
    late.catch(() => {})
    const end = () => {
      clearTimeout(timer)
      clearTimeout(deadline)
    }
    return { late, end }
  }
}
