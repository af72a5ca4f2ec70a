import { setTimeout as sleep } from 'node:timers/promises'

/** From one look to the next, in milliseconds: short at first, for what happens at once. */
const SHORTEST = 10
/** What takes long would take longer, if looking for it took the processor. */
const LONGEST = 50

/**
 * Polls until the condition gives something truthy, and returns that. Throws after `timeout`
 * milliseconds.
 *
 * @param what What is waited for, for the error: "the worker to be gone".
 * @example await waitFor('both workers', () => server.workers().length === 2)
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeout = 25_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const begin = Date.now()
  const end = begin + timeout
  for (;;) {
    const result = await condition()
    if (result) return result as NonNullable<Exclude<T, false>>
    if (Date.now() > end) throw new Error(`waited ${timeout} ms in vain for ${what}`)
    await sleep(Math.min(SHORTEST + (Date.now() - begin) / 20, LONGEST))
  }
}

/**
 * Resolves as the promise does, or rejects after `timeout` milliseconds naming what was waited for.
 */
export async function within<T>(what: string, timeout: number, promise: Promise<T>): Promise<T> {
  const timer = new AbortController()
  const late = sleep(timeout, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`waited ${timeout} ms in vain for ${what}`)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    late.catch(() => {})
    timer.abort()
  }
}
