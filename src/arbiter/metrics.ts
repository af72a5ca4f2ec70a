/** The metrics that the arbiter sends: the number of workers, its log, and the backlog. */
import type { ErrorLog } from '../logging/error-log.ts'
import type { ArbiterEvents } from '../observe/arbiter-events.ts'
import type { Settings } from '../settings/table.ts'
import { measureEntries } from '../statsd/server-metrics.ts'
import { socketBacklog } from '../statsd/socket-backlog.ts'
import { openStatsd } from '../statsd/statsd-client.ts'

/** How often the backlog is sent, in milliseconds. */
const BACKLOG_MS = 1000

export interface ArbiterMetricsOptions {
  readonly settings: Settings
  readonly log: ErrorLog
  readonly events: ArbiterEvents
  /** The workers that it has now; null if none were started yet. */
  readonly workers: number | null
  /** The descriptors of the listening sockets. */
  readonly descriptors: () => readonly number[]
}

/**
 * Sends the arbiter's metrics, if the settings ask for any.
 *
 * @returns ends it, when what is collected has been sent
 */
export function sendArbiterMetrics(options: ArbiterMetricsOptions): () => Promise<void> {
  const { settings, log, events, workers, descriptors } = options
  const client = openStatsd(settings, (text) => log.warning(text))
  if (client === null) return async () => {}
  measureEntries(client, log)
  const tellWorkers = (now: number) => client.gauge('gunicorn.workers', now)
  if (workers !== null) tellWorkers(workers)
  const end = events.workersChanged.subscribe((event) => tellWorkers(event.workers))
  const timer = settings.enableBacklogMetric
    ? setInterval(() => {
        const backlog = socketBacklog(descriptors())
        if (backlog !== null) client.histogram('gunicorn.backlog', backlog)
      }, BACKLOG_MS).unref()
    : undefined
  return async () => {
    end()
    clearInterval(timer)
    await client.close()
  }
}
