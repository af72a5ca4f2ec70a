import { expect, test } from 'vitest'
import { interpreters, testPythonSide } from '../support/python-units.ts'

// The unit tests of python/tests on the newest Python. tests/release/oldest-python.test.ts runs
// them on the oldest.

const chosen = interpreters()

test.skipIf(process.env.MONOCEROS_SKIP_PYTHON === '1')(
  'there is a Python to run the worker with',
  () => {
    expect(chosen.length).toBeGreaterThan(0)
  },
)

testPythonSide(chosen.slice(0, 1))
