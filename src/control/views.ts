/** The answers as text for people. */
import type {
  ControlAcceptor,
  ControlConfiguration,
  ControlLog,
  ControlRequests,
  ControlStatus,
  ControlWorker,
  Envelope,
  ProcessUsage,
} from './protocol.ts'
import { duration, harmless, harmlessLines, plural, size, table } from './tables.ts'

/** `monoceros ctl status` */
export function statusView(status: ControlStatus & Envelope): string[] {
  const queue = sum(status, ({ waiting }) => waiting)
  const lines = [
    `${harmless(status.application)} is ${status.state} (Monoceros ${status.monoceros}, ` +
      `process ${status.pid}, for ${since(status, status.startedAt)})`,
    `Listening at  ${status.addresses.map(harmless).join(', ')}`,
    `Workers       ${workerCounts(status)}`,
    `Queue         ${plural(queue, 'request')} waiting` +
      (queue > 0 ? `, for up to ${duration(longestWait(status))}` : ''),
    `Connections   ${sum(status, ({ connections }) => connections)}`,
    `Held          ${size(sum(status, ({ held }) => held))} in memory for clients, ` +
      `${size(sum(status, ({ spooled }) => spooled))} in temporary files`,
    `Generation    ${status.generation}${reloadNote(status)}`,
    `Log level     ${status.logLevel}`,
  ]
  if (status.config !== null) lines.splice(2, 0, `Config file   ${harmless(status.config)}`)
  const restarts = Object.entries(status.restartCounts)
  if (restarts.length > 0)
    lines.push(`Restarts      ${restarts.map(([cause, count]) => `${count} ${cause}`).join(', ')}`)
  if (status.errors.length > 0) {
    const last = status.errors.at(-1)!
    lines.push(
      `Last error    ${since(status, last.at)} ago: ${harmless(summary(last.text)).slice(0, 160)}`,
    )
  }
  lines.push('', ...processTable(status))
  const absent = absences(status)
  if (absent.length > 0) lines.push('', ...absent)
  const { lastReload } = status
  if (lastReload?.result === 'failed' && lastReload.reason !== null)
    lines.push('', 'The last reload failed:', ...indented(lastReload.reason))
  return lines
}

/** The first line of an error, and of a traceback also the last one, which is the exception. */
function summary(text: string): string {
  const lines = text.split('\n')
  const first = lines[0]!
  if (lines.length === 1 || !text.includes('Traceback (most recent call last)')) return first
  return first.startsWith('Traceback ') ? lines.at(-1)! : `${first}: ${lines.at(-1)!}`
}

function workerCounts(status: ControlStatus): string {
  const workers = workersOf(status)
    .map(({ worker }) => worker)
    .filter(isServersOwn)
  const serving = workers.filter(({ state }) => state === 'serving').length
  const silent = status.acceptors.filter((acceptor) => acceptor.answer === null).length
  const note = silent === 0 ? '' : `; ${plural(silent, 'acceptor')} did not answer, see below`
  return `${serving} of ${status.workers} serve, ${busyCount(workers)} busy${others(status)}${note}`
}

/** Workers of applications that the server's own one calls: `, and 2 of flaskapp:app`. */
function others(status: ControlStatus): string {
  const counts = new Map<string, number>()
  for (const { application } of workersOf(status).map(({ worker }) => worker))
    if (application !== undefined) counts.set(application, (counts.get(application) ?? 0) + 1)
  return [...counts].map(([name, count]) => `, and ${count} of ${harmless(name)}`).join('')
}

/** A worker of the server, and not of an application that this one calls (`pythonApp`). */
export function isServersOwn({ application }: ControlWorker): boolean {
  return application === undefined
}

/** `worker`, or `worker of flaskapp:app` */
export function workerName({ application }: ControlWorker): string {
  return application === undefined ? 'worker' : `worker of ${harmless(application)}`
}

/** `monoceros ctl workers` */
export function workersView(status: ControlStatus & Envelope): string[] {
  const workers = workersOf(status)
  const absent = absences(status)
  if (workers.length === 0) return absent.length > 0 ? absent : [noWorkers(status)]
  // Only where there are others than the server's own.
  const several = !workers.every(({ worker }) => isServersOwn(worker))
  const rows = table(
    [
      ...['PID', 'ACCEPTOR', ...(several ? ['APPLICATION'] : []), 'STATE'],
      ...['AGE', 'TAKEN', 'HAS', 'MEMORY', 'CPU', 'WORKS ON'],
    ],
    [
      ...(['right', 'right', ...(several ? (['left'] as const) : []), 'left'] as const),
      ...(['right', 'right', 'right', 'right', 'right', 'left'] as const),
    ],
    workers.map(({ acceptor, worker }) => [
      pidCell(worker.pid),
      String(acceptor.pid),
      ...(several ? [worker.application ?? status.application] : []),
      stateOf(worker),
      ageCell(status, worker),
      String(worker.taken),
      String(worker.requests),
      ...usageCells(worker.usage ?? null),
      workOf(worker),
    ]),
  )
  return [...rows, ...absent]
}

/** The acceptors of which nothing is known, and why. */
function absences(status: ControlStatus): string[] {
  return status.acceptors.flatMap(({ pid, absent }) =>
    absent === null ? [] : [absence(pid, absent)],
  )
}

function absence(acceptor: number, reason: string): string {
  return `Acceptor ${acceptor}: no answer, because ${reason}`
}

/** `monoceros ctl requests` */
export function requestsView({ requests, leftOut, absent }: ControlRequests): string[] {
  const lines =
    requests.length === 0
      ? ['No request is in progress']
      : table(
          ['AGE', 'STATE', 'WORKER', 'REQUEST'],
          ['right', 'left', 'right', 'left'],
          requests.map(({ seconds, state, worker, request }) => [
            duration(seconds),
            state,
            worker === null ? '-' : String(worker),
            request,
          ]),
        )
  if (leftOut > 0) lines.push(`… and ${plural(leftOut, 'request')} more`)
  for (const { acceptor, reason } of absent) lines.push(absence(acceptor, reason))
  return lines
}

/** `monoceros ctl queue` */
export function queueView(status: ControlStatus): string[] {
  return table(
    ['ACCEPTOR', 'WAITING', 'LIMIT', 'LONGEST', 'BUSY WORKERS', 'HELD', 'OF', 'ON DISK', 'OF'],
    ['right', 'right', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    status.acceptors.map(({ pid, answer, absent }) =>
      answer === null
        ? [String(pid), absent ?? '-']
        : [
            String(pid),
            String(answer.waiting),
            answer.waitingLimit === null ? '-' : String(answer.waitingLimit),
            answer.waiting === 0 ? '-' : duration(answer.longestWait),
            busyOf(answer.workers),
            size(answer.held),
            answer.heldLimit === null ? 'any' : size(answer.heldLimit),
            size(answer.spooled),
            answer.spoolLimit === null ? 'any' : size(answer.spoolLimit),
          ],
    ),
  )
}

/** `3 of 4`: how many have requests. */
export function busyOf(workers: readonly ControlWorker[]): string {
  const own = workers.filter(isServersOwn)
  return `${busyCount(own)} of ${own.length}`
}

function busyCount(workers: readonly ControlWorker[]): number {
  return workers.filter(({ requests }) => requests > 0).length
}

/** `monoceros ctl restarts` */
export function restartsView(status: ControlStatus): string[] {
  const { restarts } = status
  if (restarts.length === 0) return ['No worker or acceptor had to be restarted']
  return table(
    ['AGO', 'WHAT', 'PID', 'CAUSE', 'REASON'],
    ['right', 'left', 'right', 'left', 'left'],
    restarts.map(({ at, kind, pid, cause, reason }) => [
      since(status, at),
      kind,
      String(pid),
      cause,
      reason.split('\n', 1)[0]!,
    ]),
  )
}

/** `monoceros ctl slow`: a table, and then the stacks. */
export function slowView(status: ControlStatus): string[] {
  const { slowRequests } = status
  if (slowRequests.length === 0)
    return ['No request has run for slow_request seconds, or that is not set']
  const requestOf = (request: string | null) => request ?? '(the event loop was blocked)'
  const rows = table(
    ['AGO', 'HAD RUN FOR', 'WORKER', 'REQUEST'],
    ['right', 'right', 'right', 'left'],
    slowRequests.map(({ at, seconds, worker, request }) => [
      since(status, at),
      duration(seconds),
      String(worker),
      requestOf(request),
    ]),
  )
  const stacks = slowRequests.flatMap(({ request, worker, stack }) =>
    stack === null ? [] : ['', `${requestOf(request)}, worker ${worker}:`, stack.trimEnd()],
  )
  return [...rows, ...stacks]
}

/** `monoceros ctl errors`, `monoceros ctl log` */
export function logView(entries: ControlLog['entries']): string[] {
  if (entries.length === 0) return ['No entries']
  return entries.map(
    ({ at, pid, level, text }) =>
      `${new Date(at).toISOString()} [${pid}] [${level.toUpperCase()}] ${harmlessLines(text)}`,
  )
}

/** `monoceros ctl config` */
export function configurationView({ settings }: ControlConfiguration, all: boolean): string[] {
  const shown = all ? settings : settings.filter(({ source }) => source !== null)
  if (shown.length === 0) return ['Every setting has its default; --all shows them']
  return table(
    ['SETTING', 'VALUE', 'FROM'],
    ['left', 'left', 'left'],
    shown.map(({ name, value, source }) => [name, JSON.stringify(value), source ?? 'default']),
  )
}

function processTable(status: ControlStatus & Pick<Envelope, 'pid'>): string[] {
  const rows = [
    [
      'arbiter',
      String(status.pid),
      status.state,
      since(status, status.startedAt),
      ...usageCells(status.usage),
    ],
    ...status.acceptors.flatMap((acceptor) => [
      [
        'acceptor',
        String(acceptor.pid),
        acceptor.state,
        since(status, acceptor.startedAt),
        ...usageCells(acceptor.usage),
        workOf(ownWorker(acceptor)),
      ],
      ...workersBeside(acceptor).map((worker) => [
        `  ${workerName(worker)}`,
        pidCell(worker.pid),
        stateOf(worker),
        ageCell(status, worker),
        ...usageCells(worker.usage ?? null),
        workOf(worker),
      ]),
    ]),
  ]
  return table(
    ['PROCESS', 'PID', 'STATE', 'AGE', 'MEMORY', 'CPU', 'WORKS ON'],
    ['left', 'right', 'left', 'right', 'right', 'right', 'left'],
    rows,
  )
}

/** How long ago something was, as {@link duration}. */
export function since({ now }: ControlStatus, at: number): string {
  return duration(Math.max(0, now - at) / 1000)
}

function ageCell(status: ControlStatus, { readyAt }: ControlWorker): string {
  return readyAt === null ? '-' : since(status, readyAt)
}

/** The process of a worker, which has none until it is started. */
export function pidCell(pid: number): string {
  return pid === 0 ? '-' : String(pid)
}

/** What a worker works on: the oldest request, and how many others there are. Empty without one. */
export function workOf(worker: ControlWorker | undefined): string {
  if (worker === undefined) return ''
  const { running, requests } = worker
  const [first] = running
  if (first === undefined) return requests === 0 ? '' : plural(requests, 'request')
  const others = requests - 1
  const more = others > 0 ? ` (+${others})` : ''
  const sending = first.state === 'sending' ? ', sending' : ''
  return `${first.request} for ${duration(first.seconds)}${sending}${more}`
}

/** Workers that are not the acceptor itself, as with an application in TypeScript. */
export function workersBeside({ pid, answer }: ControlAcceptor): readonly ControlWorker[] {
  return (answer?.workers ?? []).filter((worker) => worker.pid !== pid)
}

/** The worker that an acceptor is itself. */
export function ownWorker({ pid, answer }: ControlAcceptor): ControlWorker | undefined {
  return answer?.workers.find((worker) => worker.pid === pid)
}

/** The state of a worker for a table. */
export function stateOf({ state, recycling }: ControlWorker): string {
  return recycling ? 'replaced soon' : state
}

export function usageCells(usage: ProcessUsage | null): [string, string] {
  return usage === null ? ['-', '-'] : [size(usage.memory), duration(usage.cpu)]
}

/** All workers with their acceptors. */
export function workersOf(
  status: ControlStatus,
): { acceptor: ControlAcceptor; worker: ControlWorker }[] {
  return status.acceptors.flatMap((acceptor) =>
    (acceptor.answer?.workers ?? []).map((worker) => ({ acceptor, worker })),
  )
}

export function noWorkers({ state }: ControlStatus): string {
  if (state === 'drained')
    return 'There are no workers: the server is drained. monoceros ctl reload starts them again'
  if (state === 'starting') return 'There are no workers yet: the server is starting'
  if (state === 'stopping') return 'There are no workers any more: the server is stopping'
  return 'There are no workers at this moment'
}

export function sum(
  status: ControlStatus,
  of: (answer: NonNullable<ControlAcceptor['answer']>) => number,
): number {
  return status.acceptors.reduce(
    (total, { answer }) => total + (answer === null ? 0 : of(answer)),
    0,
  )
}

function longestWait(status: ControlStatus): number {
  return Math.max(0, ...status.acceptors.map(({ answer }) => answer?.longestWait ?? 0))
}

function reloadNote(status: ControlStatus): string {
  const { lastReload: reload } = status
  if (reload === null) return ''
  const ago = since(status, reload.begunAt)
  const cause = harmless(reload.cause)
  if (reload.result === 'in-progress') return `; a reload (${cause}) has been going on for ${ago}`
  const { result } = reload
  const ended = { done: 'succeeded', failed: 'failed', abandoned: 'was abandoned' }[result]
  return `; the last reload (${cause}), ${ago} ago, ${ended}`
}

function indented(text: string): string[] {
  return harmlessLines(text)
    .split('\n')
    .map((line) => `  ${line}`)
}
