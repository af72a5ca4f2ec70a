/**
 * Profiles of a TypeScript application in this process, by Node's inspector. It opens no port.
 * Imported when one is asked for.
 */
import { type Profiler, type Runtime, Session } from 'node:inspector/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { stacksOf } from '../profile/cpu-profile.ts'
import type { MemoryLine } from '../profile/memory.ts'
import type { Findings, InspectionQuestion } from '../runtimes/workers/worker-inspections.ts'

/** Bytes of allocations for each sample of the heap, on average. */
const HEAP_SAMPLE = 16 * 1024

/** One at a time: they share V8's profiler. */
let busy = false

/**
 * What there is to say of this process. It never rejects.
 *
 * @param early ends it before its time
 */
export async function inspectProcess(
  question: InspectionQuestion,
  early: AbortSignal,
): Promise<Findings> {
  if (busy) return { error: 'another profile of it is being taken' }
  busy = true
  const session = new Session()
  try {
    session.connect()
    if (question.what === 'profile') return await profile(session, question, early)
    return await memory(session, question, early)
  } catch (error) {
    return { error: (error as Error).message }
  } finally {
    session.disconnect()
    busy = false
  }
}

async function profile(
  session: Session,
  { seconds, hertz, raw }: InspectionQuestion & { what: 'profile' },
  early: AbortSignal,
): Promise<Findings> {
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: Math.round(1e6 / hertz) })
  await session.post('Profiler.start')
  await passed(seconds, early)
  const { profile } = (await session.post('Profiler.stop')) as { profile: Profiler.Profile }
  return { ...stacksOf(profile), ...(raw ? { raw: JSON.stringify(profile) } : {}) }
}

/** Resolves when the time is over, or is to be. */
async function passed(seconds: number, early: AbortSignal): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal: early }).catch(() => {})
}

/** Which functions have allocated what is still there at the end. */
async function memory(
  session: Session,
  { seconds, top }: InspectionQuestion & { what: 'memory' },
  early: AbortSignal,
): Promise<Findings> {
  const before = process.memoryUsage().rss
  await session.post('HeapProfiler.enable')
  await session.post('HeapProfiler.startSampling', { samplingInterval: HEAP_SAMPLE })
  await passed(seconds, early)
  // What only waits for the collector is no growth.
  await session.post('HeapProfiler.collectGarbage')
  const { profile } = (await session.post('HeapProfiler.stopSampling')) as {
    profile: unknown
  }
  const lines = linesOf(profile as SampledHeap)
  const grown = lines.reduce((sum, line) => sum + line.grown, 0)
  const resident = [before, process.memoryUsage().rss]
  return { seconds, grown, lines: lines.slice(0, top), resident }
}

/** Of Node's types, which lack the samples. */
interface SampledHeap {
  readonly head: HeapNode
  readonly samples: readonly { readonly nodeId: number }[]
}

interface HeapNode {
  readonly id: number
  readonly selfSize: number
  readonly callFrame: Runtime.CallFrame
  readonly children: readonly HeapNode[]
}

function linesOf({ head, samples }: SampledHeap): MemoryLine[] {
  const counts = new Map<number, number>()
  for (const { nodeId } of samples) counts.set(nodeId, (counts.get(nodeId) ?? 0) + 1)
  const lines = new Map<string, MemoryLine>()
  const nodes = [head]
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    nodes.push(...node.children)
    if (node.selfSize === 0) continue
    const { url, functionName, lineNumber } = node.callFrame
    const file = `${url || '(V8)'}${functionName === '' ? '' : ` ${functionName}`}`
    const line = Math.max(0, lineNumber + 1)
    const known = lines.get(`${file}:${line}`)
    const grown = node.selfSize + (known?.grown ?? 0)
    const objects = (counts.get(node.id) ?? 0) + (known?.objects ?? 0)
    const sizes = { grown, size: grown, objectsGrown: objects, objects }
    lines.set(`${file}:${line}`, { file, line, ...sizes })
  }
  return [...lines.values()].sort((a, b) => b.grown - a.grown)
}
