import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { overTls } from '../pep3333/over-tls.ts'
import { applications, suite } from '../pep3333/suite.ts'
import { table } from '../pep3333/table.ts'
import { hasPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'

let notes = ''
beforeAll(() => {
  notes = mkdtempSync(join(tmpdir(), 'monoceros-pep3333-'))
})
afterAll(() => {
  rmSync(notes, { recursive: true, force: true })
})

test('every case has an id of its own, and a difference says something else than we do', () => {
  expect(new Set(table.map((row) => row.id)).size).toBe(table.length)
  expect(table.filter((row) => row.gunicorn?.sees === row.expect).map((row) => row.id)).toEqual([])
})

describe.skipIf(!hasPython())('PEP 3333 on monoceros', () => {
  suite(
    (variant) =>
      startServer({
        app: variant.app,
        args: [...variant.args],
        env: { PEP3333_NOTES: notes, PYTHONDONTWRITEBYTECODE: '1' },
        cwd: applications,
      }),
    (row) => overTls(row, row.expect),
    () => notes,
  )
})
