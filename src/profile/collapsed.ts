import { FRAMES_AT, type StackFindings, type Weight } from './findings.ts'
import { functionLabel, WAITING } from './labels.ts'

/**
 * The format of Brendan Gregg's flamegraph.pl and of many other tools: a line for each stack, with
 * its functions from the outermost to the innermost and microseconds.
 *
 * @param weight which time counts
 * @example 'GET /;index (app.py);render (views.py) 12000'
 */
export function collapsed(findings: StackFindings, weight: Weight): string {
  const sums = new Map<string, number>()
  for (const row of findings.stacks) {
    const names = [findings.routes[row[0]]]
    for (let at = FRAMES_AT; at < row.length; at += 2)
      names.push(functionLabel(findings.functions[row[at]]))
    if (weight === 'wall' && row[2] > 0) add([...names, WAITING], row[2])
    if (row[1] > 0) add(names, row[1])
  }
  return [...sums].map(([stack, time]) => `${stack} ${Math.round(time)}\n`).join('')

  function add(names: readonly string[], time: number): void {
    const stack = names.map((name) => name.replaceAll(/[;\s]+/g, ' ')).join(';')
    sums.set(stack, (sums.get(stack) ?? 0) + time)
  }
}
