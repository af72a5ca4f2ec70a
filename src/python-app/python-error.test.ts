import { describe, expect, test } from 'vitest'
import { failureText } from '../wsgi/failure.ts'
import {
  PythonBrokenError,
  PythonError,
  PythonLoadError,
  PythonUnavailableError,
} from './python-error.ts'

const traceback =
  'Traceback (most recent call last):\n  File "shop.py", line 3, in buy\nKeyError: \'price\'\n'

describe('what a log says of an error', () => {
  test('is the traceback where there is one', () => {
    expect(failureText(new PythonError(traceback))).toBe(traceback.trimEnd())
    expect(failureText(new PythonLoadError('shop:app', traceback))).toBe(traceback.trimEnd())
  })

  test('is never where in our own code it was found', () => {
    const cause = new Error('no such file')
    cause.stack = 'Error: no such file'
    expect(failureText(new PythonBrokenError())).toBe(
      'PythonBrokenError: The Python application failed in the middle of its response; ' +
        'the log has the traceback',
    )
    expect(
      failureText(new PythonUnavailableError('python-start', 'It could not be started', { cause })),
    ).toBe('PythonUnavailableError: It could not be started\nCaused by: Error: no such file')
  })
})
