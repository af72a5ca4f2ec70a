import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningServer } from '../support/running-server.ts'
import { type PepCase, plain, type Variant } from './case.ts'
import { outcome, Probe } from './probe.ts'
import { table } from './table.ts'

/** Where the applications of the cases are: the working directory to serve them from. */
export const applications = import.meta.dirname

/** The cases by the server they need, in the order of the table. */
function variants(table: readonly PepCase[]): Map<Variant, PepCase[]> {
  const groups = new Map<Variant, PepCase[]>()
  for (const row of table) {
    const variant = row.on ?? plain
    groups.set(variant, [...(groups.get(variant) ?? []), row])
  }
  return groups
}

/** Runs one case; a server that did not start is something seen as well. */
function see(row: PepCase, server: RunningServer | Error, notes: string): Promise<string> {
  return server instanceof Error
    ? Promise.resolve('not served')
    : outcome(row.run(new Probe(server, notes)))
}

/**
 * Declares one test for each case, on one server for each variant.
 *
 * @param notes gives the folder that the applications write notes into
 * @param without the ids of cases that cannot be run
 * @param rows the cases; the whole table if left out
 * @returns what each case has seen, by its id; filled while the tests run
 */
export function suite(
  start: (variant: Variant) => Promise<RunningServer>,
  expected: (row: PepCase) => string,
  notes: () => string,
  without: readonly string[] = [],
  rows: readonly PepCase[] = table,
): Map<string, string> {
  const seen = new Map<string, string>()
  for (const [variant, group] of variants(rows)) {
    describe(variant.name, () => {
      let server: RunningServer | Error
      beforeAll(async () => {
        server = await start(variant).catch((error: Error) => error)
        // Only a case about loading an application may see that there is no server.
        if (server instanceof Error && group.some((row) => expected(row) !== 'not served'))
          throw server
      })
      afterAll(async () => {
        if (!(server instanceof Error)) await server.stop()
      })
      const run = group.filter(({ id }) => !without.includes(id))
      test.for(run.map((row) => [row.id, row] as const))('%s', async ([, row]) => {
        const observed = await see(row, server, notes())
        seen.set(row.id, observed)
        expect(observed, `${row.section}: ${row.rule}`).toBe(expected(row))
      })
    })
  }
  return seen
}
