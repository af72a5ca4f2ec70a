import { FRAMES_AT, type StackFindings, timeOf, type Weight } from './findings.ts'
import { functionLabel, WAITING } from './labels.ts'

/** A function in the place from which it was called, and all that it called. */
export interface CallNode {
  /** `render (views.py)` */
  readonly label: string
  /** Its whole path and first line; empty for what is no function. */
  readonly place: string
  readonly kind: 'all' | 'route' | 'function' | 'waiting'
  /** Microseconds, with all that it called. */
  time: number
  readonly children: Map<string, CallNode>
}

/** The stacks of a profile as one tree: the whole, its routes, their functions. */
export function callTree(findings: StackFindings, weight: Weight): CallNode {
  const root = node('all', '', 'all')
  for (const row of findings.stacks) {
    const time = timeOf(row, weight)
    const waiting = time - row[1]
    if (time <= 0) continue
    root.time += time
    let at = child(root, findings.routes[row[0]], '', 'route', time)
    for (let index = FRAMES_AT; index < row.length; index += 2) {
      const is = findings.functions[row[index]]
      const [, file, line] = is
      const place = file === '' ? '' : line === 0 ? file : `${file}:${line}`
      at = child(at, functionLabel(is), place, 'function', time)
    }
    if (waiting > 0) child(at, WAITING, '', 'waiting', waiting)
  }
  return root
}

function node(label: string, place: string, kind: CallNode['kind']): CallNode {
  return { label, place, kind, time: 0, children: new Map() }
}

function child(
  parent: CallNode,
  label: string,
  place: string,
  kind: CallNode['kind'],
  time: number,
): CallNode {
  const key = `${label}\0${place}`
  let found = parent.children.get(key)
  if (found === undefined) {
    found = node(label, place, kind)
    parent.children.set(key, found)
  }
  found.time += time
  return found
}
