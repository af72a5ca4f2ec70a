/** The lines that the log shows when a server begins to serve, or serves with other settings. */
import type { ReadyReport } from '../acceptor/messages.ts'
import { addressUrl, type ListeningSocket } from './listeners.ts'

/** An acceptor that serves. */
export interface ServingAcceptor extends ReadyReport {
  readonly pid: number
}

/** What the banner is about. */
export interface BannerFacts {
  readonly application: string
  /** The arbiter's process. */
  readonly pid: number
  readonly acceptors: readonly ServingAcceptor[]
  readonly listeners: readonly ListeningSocket[]
}

/** The lines, in order. Those with the addresses come last: people and programs wait for them. */
export function startBanner({ application, pid, acceptors, listeners }: BannerFacts): string[] {
  return [
    servingLine(application, acceptors),
    ...acceptors.map(describeAcceptor),
    ...listeners
      .toSorted((one, other) => Number(other.redirects) - Number(one.redirects))
      .map((listener) => `${verb(listener)} ${addressUrl(listener)} (${pid})`),
  ]
}

function verb({ redirects }: ListeningSocket): string {
  return redirects ? 'Redirecting to HTTPS from' : 'Listening at'
}

function servingLine(application: string, acceptors: readonly ServingAcceptor[]): string {
  const failed = acceptors.find((acceptor) => acceptor.failure !== undefined)
  if (failed !== undefined)
    return (
      `Cannot load ${application}; answering requests with the error until a change mends it ` +
      '(--reload)'
    )
  const first = acceptors[0]
  const worker = first?.workers[0]
  if (worker === undefined) {
    const count = plural(acceptors.length, 'worker')
    return `Serving ${application} with ${count}, Node.js ${process.versions.node}`
  }
  const count = acceptors.reduce((sum, acceptor) => sum + acceptor.workers.length, 0)
  const threads = first?.threads ?? null
  const greenlets = first?.greenlets
  const each = greenlets === undefined ? '' : `, up to ${plural(greenlets, 'greenlet')} each`
  const withThreads = threads === null ? each : `, ${plural(threads, 'thread')} each`
  return (
    `Serving ${application} with ${plural(count, 'worker')}${withThreads}, ` +
    `${worker.implementation} ${worker.pythonVersion} (${first?.interpreter})`
  )
}

/** @example 'Acceptor 4712 with workers 4713, 4714' */
export function describeAcceptor({ pid, workers, failure }: ServingAcceptor): string {
  if (failure !== undefined) return `Acceptor ${pid} has no application`
  if (workers.length === 0) return `Acceptor ${pid} runs the application`
  const pids = workers.map((worker) => worker.pid).join(', ')
  return `Acceptor ${pid} with worker${workers.length === 1 ? '' : 's'} ${pids}`
}

/** @example plural(2, 'worker') // '2 workers' */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
