import type { Assignment } from './assignment.ts'
import type { WorkerCapacity } from './worker-options.ts'

/**
 * The assignments that a worker's threads work on, as far as the acceptor can know.
 *
 * @param assignments all that the worker has, in the order in which it begins them
 * @param capacity how many it runs at once, and whether in greenlets
 * @param begun reads the last stream that it has begun; not called for a worker of several threads
 */
export function assignmentsAtWork(
  assignments: Iterable<Assignment>,
  { threads, cooperative }: WorkerCapacity,
  begun: () => number,
): Assignment[] {
  const waiting = [...assignments].filter(({ suspended }) => !suspended)
  if (threads > 1 && !cooperative) return waiting.slice(0, threads)
  const last = begun()
  if (cooperative) return waiting.filter(({ stream }) => stream <= last)
  let at: Assignment | null = null
  for (const assignment of waiting) {
    if (assignment.stream > last) break
    // Until it is suspended or ends, an assignment has the thread to itself: those before it have
    // ended, and the frames that say so are on their way.
    if (!assignment.shares || at === null || (at.shares && assignment.turn < at.turn))
      at = assignment
  }
  return at === null ? [] : [at]
}
