/** Sends messages to another program, such as a syslog or StatsD daemon. */
export interface Sender {
  /**
   * Sends one message, or keeps it until that is possible. Never throws and never waits: what
   * cannot be kept is lost.
   */
  send(message: string): void
  /** Sends what is kept, as far as that is possible, and ends. Takes about a second at most. */
  close(): Promise<void>
}

/** Called with a sentence about what went wrong, once until it works again. */
export type OnTrouble = (text: string) => void

/** How long `close` waits for a daemon, in milliseconds. */
export const PATIENCE_MS = 1000
/** The most bytes that are kept for a daemon that does not take them. */
export const MOST_KEPT = 4 * 1024 * 1024

/** Resolves when `done` does, or after {@link PATIENCE_MS}. */
export async function withinPatience(done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS)
  })
  await Promise.race([done, overdue])
  clearTimeout(timer)
}
