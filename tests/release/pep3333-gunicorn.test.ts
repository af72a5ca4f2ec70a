import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { comparedGunicorn, page } from '../pep3333/page.ts'
import { applications, suite } from '../pep3333/suite.ts'
import { table } from '../pep3333/table.ts'
import { repository } from '../support/build.ts'
import { startGunicorn } from '../support/gunicorn.ts'
import { hasPython, runPython } from '../support/python.ts'

// The cases of PEP 3333 on Gunicorn, and the page that compares it with us. What we do is what the
// table expects: tests/e2e/pep3333.test.ts shows it.

const pagePath = join(repository, 'docs', 'reference', 'pep3333.md')
const gunicornVersion = hasPython()
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

test.runIf(process.env.CI && hasPython())('the Gunicorn that is compared is installed', () => {
  expect(gunicornVersion).toBe(comparedGunicorn)
})

describe.skipIf(gunicornVersion !== comparedGunicorn)(
  `PEP 3333 on gunicorn ${comparedGunicorn}`,
  () => {
    const theirs = suite(
      (variant) =>
        startGunicorn({
          app: variant.app,
          args: [...variant.gunicornArgs],
          env: { PEP3333_NOTES: notes, PYTHONDONTWRITEBYTECODE: '1', ...variant.gunicornEnv },
          cwd: applications,
        }),
      (row) => row.gunicorn?.sees ?? row.expect,
      () => notes,
    )

    test('docs/reference/pep3333.md says what was seen in this run', ({ skip }) => {
      if (theirs.size !== table.length) skip('only some of the cases were run')
      const text = page(table, new Map(table.map((row) => [row.id, row.expect])), theirs)
      if (process.env.PEP3333_WRITE === '1') writeFileSync(pagePath, text)
      expect(
        readFileSync(pagePath, 'utf8'),
        'run it with PEP3333_WRITE=1 to write the page anew',
      ).toBe(text)
    })
  },
)
