import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest, the longest first; measured alone, in seconds of processor time: 150
 * down to 30.
 */
const LONGEST = [
  'tests/install.test.ts',
  'tests/no-python.test.ts',
  'tests/frameworks.test.ts',
  'tests/python-command.test.ts',
  'tests/package.test.ts',
  'tests/what-happens-when.test.ts',
  'tests/typescript-server.test.ts',
  'tests/python-units.test.ts',
  'tests/pyodide-life.test.ts',
  'tests/command-line.test.ts',
  'tests/one-process.test.ts',
  'tests/pyodide-worker.test.ts',
  'tests/pyodide-start.test.ts',
  'tests/newer-node.test.ts',
  'tests/browser.test.ts',
  'tests/pep3333.test.ts',
  'tests/validated-middleware.test.ts',
]

/**
 * Begins with the files that take longest. Where nothing is known from an earlier run, as on CI,
 * vitest begins with the largest in bytes: a short file that takes a minute then came last, and the
 * other processors had nothing to do.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const index = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}`))
      return index === -1 ? LONGEST.length : index
    }
    return (await super.sort(files)).sort((a, b) => place(a) - place(b))
  }
}
