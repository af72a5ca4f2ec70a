import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PepCase, plain, type Variant } from '../pep3333/case.ts'
import { comparedGunicorn, page } from '../pep3333/page.ts'
import { outcome, Probe } from '../pep3333/probe.ts'
import { table } from '../pep3333/table.ts'
import { startGunicorn } from '../support/gunicorn.ts'
import { hasPython, runPython } from '../support/python.ts'
import type { RunningServer } from '../support/running-server.ts'
import { startServer } from '../support/server.ts'

const applications = join(import.meta.dirname, '..', 'pep3333')
const pagePath = join(import.meta.dirname, '..', '..', 'docs', 'reference', 'pep3333.md')

const withPython = hasPython()
const gunicornVersion = withPython
  ? runPython(
      'from importlib.metadata import PackageNotFoundError, version\n' +
        'try: print(version("gunicorn"))\n' +
        'except PackageNotFoundError: print("none")',
    ).trim()
  : 'none'

let notes = ''
beforeAll(() => {
  notes = mkdtempSync(join(tmpdir(), 'monoceros-pep3333-'))
})
afterAll(() => {
  rmSync(notes, { recursive: true, force: true })
})

/** The cases by the server they need, in the order of the table. */
function variants(): Map<Variant, PepCase[]> {
  const groups = new Map<Variant, PepCase[]>()
  for (const row of table) {
    const variant = row.on ?? plain
    groups.set(variant, [...(groups.get(variant) ?? []), row])
  }
  return groups
}

/** Runs one case; a server that did not start is something seen as well. */
function see(row: PepCase, server: RunningServer | Error): Promise<string> {
  return server instanceof Error
    ? Promise.resolve('not served')
    : outcome(row.run(new Probe(server, notes)))
}

/** One test for each case, on one server for each variant. */
function suite(
  start: (variant: Variant) => Promise<RunningServer>,
  expected: (row: PepCase) => string,
): Map<string, string> {
  const seen = new Map<string, string>()
  for (const [variant, rows] of variants()) {
    describe(variant.name, () => {
      let server: RunningServer | Error
      beforeAll(async () => {
        server = await start(variant).catch((error: Error) => error)
        // Only a case about loading an application may see that there is no server.
        if (server instanceof Error && rows.some((row) => expected(row) !== 'not served'))
          throw server
      })
      afterAll(async () => {
        if (!(server instanceof Error)) await server.stop()
      })
      test.for(rows.map((row) => [row.id, row] as const))('%s', async ([, row]) => {
        const observed = await see(row, server)
        seen.set(row.id, observed)
        expect(observed, `${row.section}: ${row.rule}`).toBe(expected(row))
      })
    })
  }
  return seen
}

test('every case has an id of its own, and a difference says something else than we do', () => {
  expect(new Set(table.map((row) => row.id)).size).toBe(table.length)
  expect(table.filter((row) => row.gunicorn?.sees === row.expect).map((row) => row.id)).toEqual([])
})

let ours = new Map<string, string>()
let theirs = new Map<string, string>()

describe.skipIf(!withPython)('PEP 3333 on monoceros', () => {
  ours = suite(
    (variant) =>
      startServer({
        app: variant.app,
        args: [...variant.args],
        env: { PEP3333_NOTES: notes, PYTHONDONTWRITEBYTECODE: '1' },
        cwd: applications,
      }),
    (row) => row.expect,
  )
})

describe.skipIf(gunicornVersion !== comparedGunicorn)(
  `PEP 3333 on gunicorn ${comparedGunicorn}`,
  () => {
    theirs = suite(
      (variant) =>
        startGunicorn({
          app: variant.app,
          args: [...variant.gunicornArgs],
          env: { PEP3333_NOTES: notes, PYTHONDONTWRITEBYTECODE: '1', ...variant.gunicornEnv },
          cwd: applications,
        }),
      (row) => row.gunicorn?.sees ?? row.expect,
    )
  },
)

describe.skipIf(!withPython || gunicornVersion !== comparedGunicorn)(
  'docs/reference/pep3333.md',
  () => {
    test('says what was seen in this run', ({ skip }) => {
      const complete = ours.size === table.length && theirs.size === table.length
      if (!complete) skip('only some of the cases were run')
      const text = page(table, ours, theirs)
      if (process.env.PEP3333_WRITE === '1') writeFileSync(pagePath, text)
      expect(
        readFileSync(pagePath, 'utf8'),
        'run it with PEP3333_WRITE=1 to write the page anew',
      ).toBe(text)
    })
  },
)
