/** One picture of `monoceros top`: text only, without a terminal. */
import type {
  ControlRequest,
  ControlStatus,
  ControlWorker,
  Envelope,
  ProcessUsage,
} from './protocol.ts'
import { duration, harmless, plural, shortened, size, table } from './tables.ts'
import {
  busyOf,
  isServersOwn,
  noWorkers,
  ownWorker,
  pidCell,
  since,
  stateOf,
  sum,
  workerName,
  workersBeside,
  workersOf,
  workOf,
} from './views.ts'

/** An answer of the server, and when it came (`performance.now()`). */
export interface Sample {
  readonly status: ControlStatus & Envelope
  readonly at: number
}

export interface ScreenOptions {
  readonly columns: number
  readonly rows: number
  readonly colours: boolean
  /** How many lines of the table are scrolled away. */
  readonly scrolled: number
  /** Why there is no newer answer; null if all is well. */
  readonly trouble: string | null
  readonly paused: boolean
}

const BOLD = '\u001b[1m'
const REVERSED = '\u001b[7m'
const RED = '\u001b[31m'
const YELLOW = '\u001b[33m'
const PLAIN = '\u001b[0m'

const KEYS = 'q quit   p pause   ↑ ↓ scroll'

/** How a line is shown, if there are colours. */
type Style = '' | typeof BOLD | typeof REVERSED | typeof RED | typeof YELLOW

/**
 * The lines of the screen: never more than `rows`, and none longer than `columns` characters.
 *
 * @param before the sample before this one, for what happens in a second; null at the beginning
 */
export function drawScreen(now: Sample, before: Sample | null, options: ScreenOptions): string[] {
  const { columns, rows, colours, scrolled, trouble } = options
  const lines: [string, Style][] = [
    [heading(now.status), BOLD],
    ...trafficLines(now, before),
    ...(trouble === null ? [] : [[trouble, RED] as [string, Style]]),
  ]
  const { lastReload } = now.status
  if (lastReload?.result === 'failed')
    lines.push([`The last reload failed: ${firstLine(lastReload.reason)}`, RED])
  lines.push(['', ''])
  const [[titles] = [''], ...workers] = workerTable(now, before)
  const footer: [string, Style] = [options.paused ? `${KEYS}   (paused)` : KEYS, '']
  const space = Math.max(0, rows - lines.length - 2)
  const shown = workers.slice(scrolled, scrolled + space)
  const head: [string, Style] = [titles, REVERSED]
  const all = [...lines, head, ...shown, footer].slice(0, rows)
  return all.map(([shown, style]) => {
    const line = shortened(harmless(shown), columns)
    return colours && style !== '' ? `${style}${line}${PLAIN}` : line
  })
}

function heading(status: Sample['status']): string {
  return (
    `${harmless(status.application)}: ${status.state} for ${since(status, status.startedAt)}, ` +
    `process ${status.pid}, generation ${status.generation}`
  )
}

function trafficLines(now: Sample, before: Sample | null): [string, Style][] {
  const { status } = now
  const workers = workersOf(status).map(({ worker }) => worker)
  const waiting = sum(status, (answer) => answer.waiting)
  const held = sum(status, (answer) => answer.held)
  const rate = ratePerSecond(now, before)
  const traffic = [
    ...(rate === null ? [] : [`${rate < 10 ? rate.toFixed(1) : Math.round(rate)} requests/s`]),
    plural(
      sum(status, (answer) => answer.connections),
      'connection',
    ),
    `${busyOf(workers)} workers busy`,
    `${waiting} waiting`,
    `${size(held)} held`,
  ]
  const restarts = Object.entries(status.restartCounts).map(([cause, count]) => `${count} ${cause}`)
  const lines: [string, Style][] = [[traffic.join(', '), waiting > 0 ? YELLOW : '']]
  if (restarts.length > 0) lines.push([`Restarts: ${restarts.join(', ')}`, ''])
  const last = status.errors.at(-1)
  if (last !== undefined) {
    const ago = duration(Math.max(0, status.now - last.at) / 1000)
    lines.push([`Last error ${ago} ago: ${firstLine(last.text)}`, ''])
  }
  for (const { pid, absent } of status.acceptors)
    if (absent !== null) lines.push([`Acceptor ${pid} does not answer: ${absent}`, RED])
  return lines
}

/** Requests that workers were given in each second between two samples; null if unknown. */
export function ratePerSecond(now: Sample, before: Sample | null): number | null {
  if (before === null || now.at <= before.at) return null
  // What others get is a part of one that the server's own have.
  const ownWorkers = ({ status }: Sample) =>
    workersOf(status).flatMap(({ worker }) => (isServersOwn(worker) ? [worker] : []))
  const counts = new Map(ownWorkers(before).map(({ pid, taken }) => [pid, taken] as const))
  let more = 0
  // One that is new since then has had all of its requests since then.
  for (const worker of ownWorkers(now))
    more += Math.max(0, worker.taken - (counts.get(worker.pid) ?? 0))
  return (more * 1000) / (now.at - before.at)
}

function workerTable(now: Sample, before: Sample | null): [string, Style][] {
  const { status } = now
  const cpuBefore = new Map<number, number>()
  if (before !== null)
    for (const [pid, usage] of usagesOf(before.status)) cpuBefore.set(pid, usage.cpu)
  const seconds = before === null ? 0 : (now.at - before.at) / 1000
  const load = (pid: number, usage: ProcessUsage | null) => {
    const earlier = cpuBefore.get(pid)
    if (usage === null || earlier === undefined || seconds <= 0) return '-'
    return `${Math.round((Math.max(0, usage.cpu - earlier) / seconds) * 100)}%`
  }
  const row = (
    what: string,
    pid: number,
    state: string,
    usage: ProcessUsage | null,
    rest: readonly string[],
  ) => [
    what,
    pidCell(pid),
    state,
    load(pid, usage),
    usage === null ? '-' : size(usage.memory),
    ...rest,
  ]
  const rows: { cells: string[]; style: Style }[] = [
    { cells: row('arbiter', status.pid, status.state, status.usage, ['', '', '']), style: '' },
  ]
  for (const acceptor of status.acceptors) {
    const own = ownWorker(acceptor)
    const hangs = acceptor.absent !== null && acceptor.state === 'serving'
    rows.push({
      cells: row('acceptor', acceptor.pid, acceptor.state, acceptor.usage, workCells(own)),
      style: hangs ? RED : own === undefined ? '' : styleOf(own),
    })
    for (const worker of workersBeside(acceptor))
      rows.push({
        cells: row(
          ` ${workerName(worker)}`,
          worker.pid,
          stateOf(worker),
          worker.usage ?? null,
          workCells(worker),
        ),
        style: styleOf(worker),
      })
  }
  const lines = table(
    ['PROCESS', 'PID', 'STATE', 'CPU', 'MEMORY', 'TAKEN', 'HAS', 'WORKS ON'],
    ['left', 'right', 'left', 'right', 'right', 'right', 'right', 'left'],
    rows.map(({ cells }) => cells),
  )
  const styled = lines.map((line, index): [string, Style] => [line, rows[index - 1]?.style ?? ''])
  if (workersOf(status).length === 0) styled.push([noWorkers(status), YELLOW])
  return styled
}

function workCells(worker: ControlWorker | undefined): string[] {
  if (worker === undefined) return ['', '', '']
  return [String(worker.taken), String(worker.requests), workOf(worker)]
}

/** One that works on the same request for a second is worth a look. */
function styleOf({ running, state }: ControlWorker): Style {
  if (state === 'condemned') return RED
  const [oldest]: readonly (ControlRequest | undefined)[] = running
  return oldest !== undefined && oldest.seconds >= 1 ? YELLOW : ''
}

function usagesOf(status: Sample['status']): [number, ProcessUsage][] {
  const all: [number, ProcessUsage | null | undefined][] = [
    [status.pid, status.usage],
    ...status.acceptors.map(({ pid, usage }) => [pid, usage] as [number, ProcessUsage | null]),
    ...workersOf(status).map(
      ({ worker }) => [worker.pid, worker.usage] as [number, ProcessUsage | null | undefined],
    ),
  ]
  return all.flatMap(([pid, usage]) => (usage == null ? [] : [[pid, usage]]))
}

function firstLine(text: string | null): string {
  return (text ?? '').split('\n', 1)[0]!
}
