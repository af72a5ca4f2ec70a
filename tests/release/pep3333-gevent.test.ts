import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { applications, suite } from '../pep3333/suite.ts'
import { hasPython } from '../support/python.ts'
import { startServer } from '../support/server.ts'

// The cases of PEP 3333 in greenlets: the same answers as in one thread, except for these.
const DIFFERENT: Readonly<Record<string, string>> = {
  // Greenlets run side by side, so an application has to be prepared as for threads.
  'wsgi-multithread-one': 'multithread: true',
  'single-threaded': '200,200: in in out out',
}
// gevent closes a descriptor only when the greenlet yields, and the case waits for that first.
const WITHOUT = ['file-pipe']

let notes = ''
beforeAll(() => {
  notes = mkdtempSync(join(tmpdir(), 'monoceros-pep3333-'))
})
afterAll(() => {
  rmSync(notes, { recursive: true, force: true })
})

describe.skipIf(!hasPython())('PEP 3333 with gevent', () => {
  suite(
    (variant) =>
      startServer({
        app: variant.app,
        args: ['-k', 'gevent', ...variant.args],
        env: { PEP3333_NOTES: notes, PYTHONDONTWRITEBYTECODE: '1' },
        cwd: applications,
      }),
    (row) => DIFFERENT[row.id] ?? row.expect,
    () => notes,
    WITHOUT,
  )
})
