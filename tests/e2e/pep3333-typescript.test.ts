import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PepCase, plain, type TypeScriptServer } from '../pep3333/case.ts'
import { overTls } from '../pep3333/over-tls.ts'
import { outcome, Probe } from '../pep3333/probe.ts'
import { table } from '../pep3333/table.ts'
import type { RunningServer } from '../support/running-server.ts'
import { startServer } from '../support/server.ts'

// Runs the table of tests/e2e/pep3333.test.ts with the same applications in TypeScript. The release
// tier runs it with applications that return promises and asynchronous iterables wherever the
// contract allows them.

const form = process.env.MONOCEROS_TEST_TIER === 'release' ? 'async' : undefined
const applications = join(import.meta.dirname, '..', 'pep3333')

let notes = ''
const servers = new Map<TypeScriptServer, Promise<RunningServer | Error>>()
beforeAll(() => {
  notes = mkdtempSync(join(tmpdir(), 'monoceros-pep3333-typescript-'))
  // All at once: the later ones start while the earlier ones are put to their cases.
  for (const { server } of tested()) {
    const { app, args } = server
    const options = { app, args: [...args], env: { PEP3333_NOTES: notes }, cwd: applications }
    servers.set(
      server,
      startServer(options).catch((error: Error) => error),
    )
  }
})
afterAll(() => {
  rmSync(notes, { recursive: true, force: true })
})

interface Group {
  readonly server: TypeScriptServer
  readonly rows: PepCase[]
}

/** The cases by the server they need. */
function groups(): Group[] {
  const found = new Map<string, Group>()
  for (const row of table) {
    const server = (row.on ?? plain).typescript
    const key = [server.app, ...server.args].join(' ')
    const group = found.get(key) ?? { server, rows: [] }
    group.rows.push(row)
    found.set(key, group)
  }
  return [...found.values()]
}

/** The groups that this tier runs. Servers of single applications have no asynchronous form. */
function tested(): Group[] {
  return groups().filter(({ server }) => form === undefined || isDispatcher(server))
}

/** Whether it serves the applications of many cases. */
function isDispatcher({ app }: TypeScriptServer): boolean {
  return app === plain.typescript.app
}

test('a difference says something else than an application in Python', () => {
  expect(table.filter((row) => row.typescript?.sees === row.expect).map((row) => row.id)).toEqual(
    [],
  )
})

describe.each(
  tested().map((group) => [group.server.app, group.server.args.slice(2).join(' '), group] as const),
)('PEP 3333 for %s %s', (_app, _args, { server: command, rows }) => {
  let server: RunningServer | Error
  beforeAll(async () => {
    server = (await servers.get(command)) ?? new Error('it was not started')
    if (!(server instanceof Error)) return
    // Only a case about loading an application may see that there is no server, and only because of
    // the application.
    const isMeant = rows.every((row) => expected(row) === 'not served')
    if (!isMeant || !/which is not a WSGI application/.test(server.message)) throw server
  })
  afterAll(async () => {
    if (!(server instanceof Error)) await server.stop()
  })

  function see(row: PepCase): Promise<string> {
    if (server instanceof Error) return Promise.resolve('not served')
    return outcome((row.typescript?.run ?? row.run)(new Probe(server, notes, form)))
  }

  test.for(rows.map((row) => [row.id, row] as const))('%s', async ([, row]) => {
    expect(await see(row), `${row.section}: ${row.rule}`).toBe(expected(row))
  })
})

function expected(row: PepCase): string {
  return overTls(row, row.typescript?.sees ?? row.expect)
}
