import { FRAMES_AT, type ProfiledFunction, type StackFindings } from './findings.ts'

/** A profile of V8 as the inspector gives it (`.cpuprofile`), as far as it is used here. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      /** From 0; -1 if it has none. */
      readonly lineNumber: number
    }
    readonly children?: readonly number[] | undefined
  }[]
  /** In microseconds. */
  readonly startTime: number
  readonly endTime: number
  /** The node that each sample is at. */
  readonly samples?: readonly number[] | undefined
  /** Microseconds before each sample. */
  readonly timeDeltas?: readonly number[] | undefined
}

const APPLICATION = '(process)'

/** The stacks of a profile of V8. What is called `(idle)` there is left out. */
export function stacksOf(profile: CpuProfile): StackFindings {
  const { nodes, samples = [], timeDeltas = [], startTime, endTime } = profile
  const parents = new Map<number, number>()
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id)
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const functions: ProfiledFunction[] = []
  const numbers = new Map<string, number>()
  const rows = new Map<number, number[]>()
  for (const [at, id] of samples.entries()) {
    let row = rows.get(id)
    if (row === undefined) {
      const frames: number[] = []
      for (
        let node = byId.get(id);
        node !== undefined;
        node = byId.get(parents.get(node.id) ?? -1)
      ) {
        const { functionName, url, lineNumber } = node.callFrame
        if (functionName === '(root)') break
        const is = [functionName || '(anonymous)', shown(url), Math.max(0, lineNumber + 1)] as const
        const key = is.join('\0')
        let number = numbers.get(key)
        if (number === undefined) {
          number = functions.push(is) - 1
          numbers.set(key, number)
        }
        frames.unshift(number, is[2])
      }
      row = [0, 0, 0, 0, ...frames]
      rows.set(id, row)
    }
    // The time until the next sample was spent where this one is.
    row[1] += Math.max(0, timeDeltas[at + 1] ?? 0)
    row[3]++
  }
  const idle = functions.findIndex(([name]) => name === '(idle)')
  const stacks = [...rows.values()].filter(
    (row) => row.length > FRAMES_AT && row[FRAMES_AT] !== idle,
  )
  return {
    routes: [APPLICATION],
    functions,
    stacks,
    seconds: (endTime - startTime) / 1e6,
    samples: samples.length,
    cost: 0,
    processes: 1,
  }
}

function shown(url: string): string {
  return url.startsWith('file://') ? decodeURIComponent(url.slice('file://'.length)) : url
}
