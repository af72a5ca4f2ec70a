/**
 * Profiles of this acceptor's part of the application, for the arbiter. Imported when one is asked
 * for: a server that nobody profiles has none of this.
 */
import { ProfileSum, readStackFindings, type StackFindings } from '../profile/findings.ts'
import { type MemoryFindings, readMemoryFindings } from '../profile/memory.ts'
import type { Keyed, MemoryRequest, ProfileRequest, Unprofiled } from '../profile/requests.ts'
import type { InspectionQuestion, WorkerFindings } from '../runtimes/workers/worker-inspections.ts'

/** Whoever runs the application: a pool of workers, or this process. */
export interface Inspected {
  /**
   * @param pid only that worker, if it is not null
   * @param early ends it before its time
   */
  inspect(
    question: InspectionQuestion,
    pid: number | null,
    early: AbortSignal,
  ): Promise<readonly WorkerFindings[]>
}

export interface ProfileAnswer {
  /** All workers together; null if none has answered. */
  readonly findings: StackFindings | null
  /** Who was asked. */
  readonly pids: readonly number[]
  readonly failed: readonly Unprofiled[]
  /** By process: the profile of V8 as JSON; only of TypeScript, and if it is wanted. */
  readonly raw: readonly { readonly pid: number; readonly profile: string }[]
}

export interface MemoryAnswer {
  readonly workers: readonly { readonly pid: number; readonly memory: MemoryFindings }[]
  readonly failed: readonly Unprofiled[]
}

/** Those that are being taken, by their keys. */
const running = new Map<number, AbortController>()

/** Ends that one before its time; nothing if it is over, or of another process. */
export function endProfile(key: number): void {
  running.get(key)?.abort()
}

async function untilEnded<Result>(
  key: number,
  take: (early: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const early = new AbortController()
  running.set(key, early)
  try {
    return await take(early.signal)
  } finally {
    running.delete(key)
  }
}

/** The stacks of the application for some seconds, added up. */
export async function takeProfile(
  backend: Inspected,
  { key, seconds, hertz, worker, raw }: ProfileRequest & Keyed,
): Promise<ProfileAnswer> {
  const sum = new ProfileSum()
  const pids: number[] = []
  const failed: Unprofiled[] = []
  const profiles: { pid: number; profile: string }[] = []
  const question = { what: 'profile', seconds, hertz, raw } as const
  const answers = await untilEnded(key, (early) => backend.inspect(question, worker, early))
  for (const { pid, findings } of answers) {
    pids.push(pid)
    const read = readStackFindings(findings)
    if (read === null) failed.push({ pid, reason: reasonOf(findings) })
    else sum.add(read)
    if (typeof findings.raw === 'string') profiles.push({ pid, profile: findings.raw })
  }
  const findings = failed.length < pids.length ? sum.findings : null
  return { findings, pids, failed, raw: profiles }
}

/** Which lines of the application allocate memory that stays. */
export async function measureMemory(
  backend: Inspected,
  { key, seconds, top, worker }: MemoryRequest & Keyed,
): Promise<MemoryAnswer> {
  const workers: { pid: number; memory: MemoryFindings }[] = []
  const failed: Unprofiled[] = []
  const question = { what: 'memory', seconds, top } as const
  const answers = await untilEnded(key, (early) => backend.inspect(question, worker, early))
  for (const { pid, findings } of answers) {
    const memory = readMemoryFindings(findings)
    if (memory === null) failed.push({ pid, reason: reasonOf(findings) })
    else workers.push({ pid, memory })
  }
  return { workers, failed }
}

function reasonOf({ error }: Readonly<Record<string, unknown>>): string {
  return typeof error === 'string' ? error : 'its answer cannot be read'
}
