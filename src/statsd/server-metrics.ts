/** What is sent of a server, under Gunicorn's names. */
import type { ErrorLog } from '../logging/error-log.ts'
import type { LogLevel } from '../logging/log-level.ts'
import type { RequestEvents } from '../observe/request-events.ts'
import type { StatsdClient } from './statsd-client.ts'

/** Counts requests by their status, and sends the duration of each. */
export function measureRequests(client: StatsdClient, events: RequestEvents): void {
  events.requestEnded.subscribe(({ status, seconds }) => measure(client, status, seconds))
  events.requestRefused.subscribe(({ begun, status, startedAt }) => {
    if (!begun) measure(client, status, startedAt === null ? 0 : elapsed(startedAt))
  })
}

function measure(client: StatsdClient, status: number, seconds: number): void {
  client.timer('gunicorn.request.duration', Math.round(seconds * 1e6) / 1e3)
  client.count('gunicorn.requests')
  client.count(statusName(status))
}

const statusNames: string[] = []

/** Made once for each status. */
function statusName(status: number): string {
  let name = statusNames[status]
  if (name === undefined) {
    name = `gunicorn.request.status.${status}`
    statusNames[status] = name
  }
  return name
}

function elapsed(startedAt: number): number {
  return Math.max(0, Date.now() - startedAt) / 1000
}

const COUNTED: ReadonlySet<LogLevel> = new Set(['warning', 'error', 'critical'])

/** Counts the entries of the error log by level; those with a traceback as exceptions. */
export function measureEntries(client: StatsdClient, log: ErrorLog): void {
  log.listen((level, text) => {
    if (!COUNTED.has(level)) return
    const exception = level === 'error' && text.includes('Traceback (most recent call last):')
    client.count(`gunicorn.log.${exception ? 'exception' : level}`)
  })
}
