import { test } from 'vitest'
import { interpreters, testPythonSide } from '../support/python-units.ts'

// The unit tests of python/tests on the oldest Python that is supported, if there is one.

const chosen = interpreters().slice(1)

testPythonSide(chosen)

if (chosen.length === 0) test.skip('there is no Python 3.9 here, or it is the newest one')
