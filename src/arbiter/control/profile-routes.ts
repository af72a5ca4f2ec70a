/** Profiles over the control socket: they ask all acceptors and add up what comes back. */
import type {
  HeapResult,
  MemoryResult,
  ProfileResult,
  Unprofiled,
} from '../../control/profile-protocol.ts'
import { ProfileSum } from '../../profile/findings.ts'
import { PROFILE_LIMITS, SNAPSHOT_MS } from '../../profile/requests.ts'
import type { ArbiterActions } from '../actions.ts'

/** How long an acceptor may take to end a profile early, in milliseconds. */
const END_MS = 1000
/** How long after its time a profile may come, in milliseconds. */
const LATE_MS = 15_000

/** What is wrong with a request, or why there is no profile. */
export class ProfileRefused extends Error {
  readonly code: 'bad-request' | 'not-found' | 'failed'

  constructor(code: 'bad-request' | 'not-found' | 'failed', message: string) {
    super(message)
    this.code = code
  }
}

type Arguments = Readonly<Record<string, unknown>>

/** The key of the newest profile. */
let lastKey = 0

/**
 * Takes a profile, and ends it when whoever wants it has left: it costs the application time, and
 * others may not take one meanwhile.
 *
 * @param gone is aborted then
 */
async function whileWanted<Result>(
  actions: ArbiterActions,
  gone: AbortSignal,
  take: (key: number) => Promise<Result>,
): Promise<Result> {
  const key = ++lastKey
  const end = () => void actions.ask('end-profile', { key }, END_MS)
  gone.addEventListener('abort', end)
  try {
    const result = take(key)
    if (gone.aborted) end()
    return await result
  } finally {
    gone.removeEventListener('abort', end)
  }
}

/**
 * `POST /profile`
 *
 * @param gone is aborted when whoever asks has left
 * @throws ProfileRefused
 */
export async function profile(
  actions: ArbiterActions,
  given: Arguments,
  gone: AbortSignal,
): Promise<ProfileResult> {
  const seconds = inRange(given, 'seconds', SECONDS)
  const hertz = inRange(given, 'hertz', { least: 1, ...PROFILE_LIMITS.hertz })
  const worker = workerOf(given)
  const raw = given.raw === true
  const takenAt = Date.now()
  const { application, runtime } = await actions.status()
  const answers = await whileWanted(actions, gone, (key) =>
    actions.ask('profile', { key, seconds, hertz, worker, raw }, seconds * 1000 + LATE_MS),
  )
  const sum = new ProfileSum()
  const workers: number[] = []
  const failed: Unprofiled[] = []
  const profiles: { pid: number; profile: string }[] = []
  for (const { pid, answer, absent } of answers) {
    if (answer === null) {
      failed.push({ pid, reason: absent ?? '' })
      continue
    }
    workers.push(...answer.pids)
    failed.push(...answer.failed)
    profiles.push(...answer.raw)
    if (answer.findings !== null) sum.add(answer.findings)
  }
  const { findings } = sum
  if (findings.processes === 0) throw nothingFrom(worker, failed)
  return { application, runtime, takenAt, findings, workers, failed, raw: profiles }
}

/** `POST /memory`, as {@link profile}. @throws ProfileRefused */
export async function memory(
  actions: ArbiterActions,
  given: Arguments,
  gone: AbortSignal,
): Promise<MemoryResult> {
  const seconds = inRange(given, 'seconds', SECONDS)
  const top = Math.round(inRange(given, 'top', { least: 1, ...PROFILE_LIMITS.top }))
  const worker = workerOf(given)
  const { application } = await actions.status()
  const answers = await whileWanted(actions, gone, (key) =>
    actions.ask('memory', { key, seconds, top, worker }, seconds * 1000 + LATE_MS),
  )
  const failed: Unprofiled[] = answers.flatMap(({ pid, answer, absent }) =>
    answer === null ? [{ pid, reason: absent ?? '' }] : answer.failed,
  )
  const workers = answers.flatMap(({ answer }) => answer?.workers ?? [])
  if (workers.length === 0) throw nothingFrom(worker, failed)
  return { application, workers, failed }
}

/** `POST /heap-snapshot` @throws ProfileRefused */
export async function heapSnapshot(actions: ArbiterActions, given: Arguments): Promise<HeapResult> {
  const worker = workerOf(given)
  const offset = given.offset === undefined ? null : inRange(given, 'offset', OFFSETS)
  const done = given.done === true
  const answers = await actions.ask('heap', { worker, offset, done }, SNAPSHOT_MS)
  const found = answers.flatMap(({ answer }) => answer ?? [])
  if (found.length === 1) return found[0]
  const failed = answers.flatMap(({ pid, absent }) =>
    absent === null ? [] : [{ pid, reason: absent }],
  )
  if (found.length === 0) throw nothingFrom(worker, failed)
  throw new ProfileRefused(
    'bad-request',
    `A heap snapshot is of one process; give one of ${found.map(({ pid }) => pid).join(', ')}`,
  )
}

const SECONDS = { least: 0.01, ...PROFILE_LIMITS.seconds }
const OFFSETS = { least: 0, most: Number.MAX_SAFE_INTEGER, usual: 0 }

function nothingFrom(worker: number | null, failed: readonly Unprofiled[]): ProfileRefused {
  const [first] = failed
  if (first !== undefined)
    return new ProfileRefused('failed', `Process ${first.pid} has nothing to show: ${first.reason}`)
  return worker === null
    ? new ProfileRefused('failed', 'No worker serves')
    : new ProfileRefused('not-found', `No worker that serves is process ${worker}`)
}

function workerOf({ worker = null }: Arguments): number | null {
  if (worker === null || (Number.isSafeInteger(worker) && (worker as number) > 0))
    return worker as number | null
  throw new ProfileRefused('bad-request', 'worker must be the number of a process')
}

function inRange(
  given: Arguments,
  name: string,
  { least, most, usual }: { least: number; most: number; usual: number },
): number {
  const value = given[name] ?? usual
  if (typeof value === 'number' && value >= least && value <= most) return value
  throw new ProfileRefused('bad-request', `${name} must be a number from ${least} to ${most}`)
}
