import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PepCase, plain } from '../pep3333/case.ts'
import { http2Differences, onlyHttp1, overHttp2 } from '../pep3333/over-http2.ts'
import { applications, suite } from '../pep3333/suite.ts'
import { table } from '../pep3333/table.ts'
import { hasPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'

// The table of tests/e2e/pep3333.test.ts over HTTP/2, for Python and for TypeScript.

let notes = ''
beforeAll(() => {
  notes = mkdtempSync(join(tmpdir(), 'monoceros-pep3333-http2-'))
})
afterAll(() => {
  rmSync(notes, { recursive: true, force: true })
})

test('differences are about cases that exist, and say something else than HTTP/1.1', () => {
  const rows = new Map(table.map((row) => [row.id, row]))
  for (const id of onlyHttp1.keys()) expect(rows.has(id), id).toBe(true)
  for (const [id, { sees, typescript }] of http2Differences) {
    expect(rows.has(id), id).toBe(true)
    expect(typescript ?? sees, id).not.toBe(rows.get(id)?.expect)
  }
})

async function start({ app, args }: { app: string; args: readonly string[] }) {
  const server = await startServer({
    app,
    args: [...args, '--h2c'],
    env: { PEP3333_NOTES: notes, PYTHONDONTWRITEBYTECODE: '1' },
    cwd: applications,
  })
  return overHttp2(server)
}

const without = [...onlyHttp1.keys()]

describe.skipIf(!hasPython())('PEP 3333 over HTTP/2', () => {
  suite(
    start,
    (row) => http2Differences.get(row.id)?.sees ?? row.expect,
    () => notes,
    without,
  )
})

describe('PEP 3333 for TypeScript over HTTP/2', () => {
  // The servers of single applications are about loading them, and not about the protocol.
  const rows = table
    .filter((row) => (row.on ?? plain).typescript.app === plain.typescript.app)
    .map(
      (row): PepCase => ({
        ...row,
        // Where only Python has other arguments, it is the same server.
        on: (row.on ?? plain).typescript === plain.typescript ? plain : (row.on ?? plain),
        run: row.typescript?.run ?? row.run,
      }),
    )
  suite(
    ({ typescript }) => start(typescript),
    (row) => {
      const http2 = http2Differences.get(row.id)
      return http2?.typescript ?? http2?.sees ?? row.typescript?.sees ?? row.expect
    },
    () => notes,
    without,
    rows,
  )
})
