/** What the workers of a pool are doing, for whoever asks the running server. */
import type { ControlRequest, ControlWorker } from '../../observe/server-state.ts'
import type { Assignment } from './assignment.ts'
import type { Worker } from './worker.ts'

/** How many of a worker's requests are shown with it. */
export const SHOWN_OF_WORKER = 10
/** A path may have thousands of characters. */
const SHOWN_OF_REQUEST = 200

/** One worker, and what it works on; null if it is gone. */
export function workerState(worker: Worker, now: number): ControlWorker | null {
  const { pid, state, taken, recycling, readyAt, assignments } = worker
  if (state === 'gone') return null
  return {
    pid,
    state,
    readyAt: Number.isFinite(readyAt) ? Math.round(performance.timeOrigin + readyAt) : null,
    taken,
    requests: assignments.size,
    recycling,
    running: requestsOf(worker, now)
      .filter((request) => request.state !== 'given')
      .slice(0, SHOWN_OF_WORKER),
  }
}

/** What a worker has, the oldest first. */
export function requestsOf(worker: Worker, now: number): ControlRequest[] {
  const atWork = new Set(worker.atWork())
  return [...worker.assignments]
    .map((assignment) => {
      const state = atWork.has(assignment) ? 'running' : assignment.headSent ? 'sending' : 'given'
      return requestState(assignment, now, state, worker.pid)
    })
    .sort((a, b) => b.seconds - a.seconds)
}

/** One that waits for a worker. */
export function queuedRequest(assignment: Assignment, now: number): ControlRequest {
  return requestState(assignment, now, 'queued', null)
}

function requestState(
  { task, queuedAt }: Assignment,
  now: number,
  state: ControlRequest['state'],
  worker: number | null,
): ControlRequest {
  return {
    request: withoutQuery(task.describe()),
    state,
    seconds: Math.max(0, now - queuedAt) / 1000,
    worker,
  }
}

/** `GET /cart?token=1 HTTP/1.1` → `GET /cart`: queries may have secrets. */
export function withoutQuery(requestLine: string): string {
  const [method = '', target = ''] = requestLine.split(' ', 2)
  return `${method} ${target.split('?', 1)[0]}`.trim().slice(0, SHOWN_OF_REQUEST)
}
