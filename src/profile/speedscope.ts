import { FRAMES_AT, type StackFindings, type Weight } from './findings.ts'
import { WAITING } from './labels.ts'

/**
 * The file format of https://www.speedscope.app: one profile for each route.
 *
 * @returns its JSON
 */
export function speedscope(findings: StackFindings, weight: Weight, name: string): string {
  const { routes, functions, stacks } = findings
  const frames = functions.map(([name, file, line]) => ({
    name,
    ...(file === '' ? {} : { file }),
    ...(line === 0 ? {} : { line }),
  }))
  const waiting = frames.push({ name: WAITING }) - 1
  const profiles = routes.flatMap((route, number) => {
    const samples: number[][] = []
    const weights: number[] = []
    for (const row of stacks) {
      if (row[0] !== number) continue
      const stack = row.filter((_, at) => at >= FRAMES_AT && at % 2 === 0)
      if (row[1] > 0) {
        samples.push(stack)
        weights.push(row[1])
      }
      if (weight === 'wall' && row[2] > 0) {
        samples.push([...stack, waiting])
        weights.push(row[2])
      }
    }
    if (samples.length === 0) return []
    const endValue = weights.reduce((sum, each) => sum + each, 0)
    return [
      {
        ...{ type: 'sampled', name: route, unit: 'microseconds', startValue: 0, endValue },
        ...{ samples, weights },
      },
    ]
  })
  profiles.sort((a, b) => b.endValue - a.endValue)
  return JSON.stringify({
    $schema: 'https://www.speedscope.app/file-format-schema.json',
    name,
    activeProfileIndex: 0,
    exporter: 'monoceros',
    shared: { frames },
    profiles,
  })
}
