import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest, the longest first; measured alone, in seconds of processor time: 150
 * down to 30.
 */
const LONGEST = [
  'tests/release/install.test.ts',
  'tests/embedded/no-python.test.ts',
  'tests/release/frameworks.test.ts',
  'tests/embedded/python-command.test.ts',
  'tests/release/package.test.ts',
  'tests/e2e/what-happens-when.test.ts',
  'tests/e2e/typescript-server.test.ts',
  'tests/e2e/python-units.test.ts',
  'tests/embedded/pyodide-life.test.ts',
  'tests/e2e/command-line.test.ts',
  'tests/e2e/one-process.test.ts',
  'tests/embedded/pyodide-worker.test.ts',
  'tests/embedded/pyodide-start.test.ts',
  'tests/release/newer-node.test.ts',
  'tests/release/browser.test.ts',
  'tests/e2e/pep3333.test.ts',
  'tests/e2e/validated-middleware.test.ts',
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
