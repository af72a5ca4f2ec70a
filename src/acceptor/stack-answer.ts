/** What the thread of `stack-thread.ts` begins with. */
export interface StackThreadData {
  /** The descriptor on which the arbiter asks, by a byte, and is answered, by a line of JSON. */
  readonly fd: number
  /** The URL of the folder with our own code. */
  readonly own: string
}

/** Where an acceptor's main thread stands. */
export type StackAnswer =
  /**
   * Its event loop runs. `doing`: what it waits for while it loads the application, as a sentence
   * without its full stop; empty afterwards.
   */
  | { readonly kind: 'free'; readonly doing: string }
  /** It is blocked there; the innermost call first. */
  | { readonly kind: 'stack'; readonly frames: readonly string[] }
  /** It is blocked, and not in JavaScript. */
  | { readonly kind: 'unknown' }
