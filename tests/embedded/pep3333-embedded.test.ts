import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PepCase, plain } from '../pep3333/case.ts'
import { outcome, Probe } from '../pep3333/probe.ts'
import { table } from '../pep3333/table.ts'
import type { RunningServer } from '../support/running-server.ts'
import { startServer } from '../support/server.ts'

// The table of tests/e2e/pep3333.test.ts, put to the same Python applications in the embedded
// interpreter.

const applications = join(import.meta.dirname, '..', 'pep3333')

/** Cases that one server is enough for. */
interface Group {
  readonly app: string
  readonly args: readonly string[]
  readonly rows: PepCase[]
}

let notes = ''
const groups = grouped()
const servers = new Map<Group, Promise<RunningServer | Error>>()

beforeAll(() => {
  // Within the temporary folder, which the interpreter sees at its own path.
  notes = mkdtempSync(join(tmpdir(), 'monoceros-pep3333-embedded-'))
})
afterAll(() => {
  rmSync(notes, { recursive: true, force: true })
})

/**
 * Starts the server of that group, unless it is under way: an error when it does not start, and for
 * no group.
 */
function started(group: Group | undefined): Promise<RunningServer | Error> {
  if (group === undefined) return Promise.resolve(new Error('there is no such group'))
  const { app } = group
  // Nothing of the environment is passed on by itself.
  const args = [...group.args, '--env', `PEP3333_NOTES=${notes}`]
  const server =
    servers.get(group) ??
    startServer({ app, args, cwd: applications }).catch((error: Error) => error)
  servers.set(group, server)
  return server
}

function grouped(): Group[] {
  const found = new Map<string, Group>()
  for (const row of table) {
    const { app, embeddedArgs: args } = row.on ?? plain
    const key = [app, ...args].join(' ')
    const group = found.get(key) ?? { app, args, rows: [] }
    group.rows.push(row)
    found.set(key, group)
  }
  return [...found.values()]
}

test('a difference says something else than an application on the system\u2019s Python', () => {
  expect(table.filter((row) => row.embedded?.sees === row.expect).map((row) => row.id)).toEqual([])
})

describe.each(groups.map((group) => [group.app, group.args.slice(2).join(' '), group] as const))(
  'PEP 3333 in the embedded interpreter for %s %s',
  (_app, _args, group) => {
    let server: RunningServer
    beforeAll(async () => {
      const ours = await started(group)
      // The next one starts while this one is put to its cases. All at once would keep a small
      // machine busy for longer than a start may take.
      void started(groups[groups.indexOf(group) + 1])
      if (ours instanceof Error) throw ours
      server = ours
    })
    afterAll(async () => {
      await server?.stop()
    })

    test.for(group.rows.map((row) => [row.id, row] as const))('%s', async ([, row]) => {
      const seen = await outcome((row.embedded?.run ?? row.run)(new Probe(server, notes)))
      expect(seen, `${row.section}: ${row.rule}`).toBe(row.embedded?.sees ?? row.expect)
    })
  },
)
