import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dispatcher, type Mounts } from '../../src/middleware/dispatcher/dispatcher.ts'
import { toFunction } from '../../src/wsgi/application.ts'
import type { WSGIApplication } from '../../src/wsgi/types.ts'
import { environOf } from '../support/call-application.ts'
import { hasPython, testPython } from '../support/python.ts'

/** dispatcher against Werkzeug's DispatcherMiddleware, for mounts by path (it knows no hosts). */

interface Case {
  mounts: string[]
  script: string
  path: string
}

const WERKZEUG = `
import json, sys
from werkzeug.middleware.dispatcher import DispatcherMiddleware

def named(name):
    return lambda environ, start_response: [name, environ["SCRIPT_NAME"], environ["PATH_INFO"]]

json.dump([
    DispatcherMiddleware(named("fallback"), {mount: named(mount) for mount in case["mounts"]})(
        {"SCRIPT_NAME": case["script"], "PATH_INFO": case["path"]}, None)
    for case in json.load(sys.stdin)
], sys.stdout)
`

function ours({ mounts, script, path }: Case): string[] {
  let outcome: string[] = []
  const named = (name: string): WSGIApplication => {
    return (environ) => {
      outcome = [name, environ.SCRIPT_NAME, environ.PATH_INFO]
      return []
    }
  }
  const app = dispatcher(
    named('fallback'),
    Object.fromEntries(mounts.map((mount) => [mount, named(mount)])) as Mounts,
  )
  const environ = Object.assign(environOf(), { SCRIPT_NAME: script, PATH_INFO: path })
  toFunction(app)(environ, () => () => Promise.resolve())
  return outcome
}

describe.skipIf(!hasPython())('dispatcher beside DispatcherMiddleware of Werkzeug', () => {
  test('sends each path to the same application, with the same SCRIPT_NAME and PATH_INFO', () => {
    // A small alphabet, so that mounts and paths meet; runs of slashes, and segments that begin
    // alike.
    const mount = fc.stringMatching(/^(\/(a|b|ab|a\.b)){1,3}$/)
    const rest = fc.stringMatching(/^(\/{1,3}(a|b|ab|a\.b|\.\.)?){0,3}$/)
    const cases: Case[] = fc.sample(
      fc.uniqueArray(mount, { minLength: 1, maxLength: 5 }).chain((mounts) =>
        fc.record({
          mounts: fc.constant(mounts),
          script: fc.constantFrom('', '/site', '/a'),
          path: fc
            .tuple(fc.constantFrom('', ...mounts), fc.constantFrom('', 'b'), rest)
            .map((parts) => parts.join(''))
            .filter((path) => path === '' || path.startsWith('/')),
        }),
      ),
      2000,
    )
    const output = execFileSync(testPython().executable, ['-c', WERKZEUG], {
      input: JSON.stringify(cases),
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    })
    const theirs = JSON.parse(output) as string[][]
    for (const [index, one] of cases.entries()) {
      expect({ ...one, gives: ours(one) }).toEqual({ ...one, gives: theirs[index] })
    }
    expect(theirs.filter(([name]) => name !== 'fallback').length).toBeGreaterThan(500)
  })
})
