/** The data that the thread of `stack-thread.ts` starts with. */
export interface StackThreadData {
  /** The descriptor of the channel: the arbiter asks with a byte, the answer is a line of JSON. */
  readonly fd: number
  /** The URL of the folder with Monoceros's own code. */
  readonly own: string
}

/** What an acceptor's main thread is doing. */
export type StackAnswer =
  /**
   * Its event loop runs. `doing` says what it waits for while it loads the application, as a
   * sentence without a full stop; it is empty afterwards.
   */
  | { readonly kind: 'free'; readonly doing: string }
  /** It is blocked; the innermost call comes first. */
  | { readonly kind: 'stack'; readonly frames: readonly string[] }
  /** It is blocked outside JavaScript. */
  | { readonly kind: 'unknown' }
