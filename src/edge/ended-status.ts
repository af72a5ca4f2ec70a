/**
 * The status that logs show for a client that left before its answer; nginx made the number known.
 */
const CLIENT_LEFT = 499

/**
 * The status of a request that has ended, as logs and metrics have it.
 *
 * @param answered that of its response; undefined if none has begun
 * @param completed see `RequestSink.closed`, as for `refusedWith`
 */
export function endedStatus(
  answered: number | undefined,
  completed: boolean,
  refusedWith: number | undefined,
): number {
  return answered ?? refusedWith ?? (completed ? 500 : CLIENT_LEFT)
}
