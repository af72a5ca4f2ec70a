import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { splitShellWords } from '../../src/settings/shell-words.ts'
import { appsDirectory } from '../support/applications.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runCommandHere } from '../support/server.ts'

const folder = join(appsDirectory, 'gunicorn-configs')
const NOT_CONFIGURATIONS = ['app.py', 'events.py']
const configurations = readdirSync(folder).filter(
  (name) => /\.(py|args)$/.test(name) && !NOT_CONFIGURATIONS.includes(name),
)

/** What we do not have yet, with the reason. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'tls.py': /^monoceros: tls\.py:\d+: \w+ is not supported: TLS is not supported yet/,
  'unit.args': /^monoceros: (--certfile|--keyfile|-k gevent) is not supported: /,
  'gevent_patched.py': /worker_class gevent is not supported/,
  'dict_logging.py': /unknown setting "logconfig_dict"/,
  'ini_logging.args': /Unknown option "--log-config"/,
}

/** What a configuration adds to the environment and to the arguments. */
function partsOf(name: string): { env: Record<string, string>; args: string[] } {
  if (name.endsWith('.py')) return { env: {}, args: ['-c', name, 'app:app'] }
  const words = splitShellWords(readFileSync(join(folder, name), 'utf8').trim()) ?? []
  const variables = words.filter((word, index) => isVariable(word) && index < firstFlag(words))
  const env = Object.fromEntries(variables.map((word) => word.split(/=(.*)/s).slice(0, 2)))
  return { env, args: words.slice(variables.length) }
}

function firstFlag(words: readonly string[]): number {
  return words.findIndex((word) => !isVariable(word))
}

function isVariable(word: string): boolean {
  return /^[A-Z_]+=/.test(word)
}

test('there are 18 configurations', () => {
  expect(configurations).toHaveLength(18)
  expect(configurations.filter((name) => name.endsWith('.py'))).toHaveLength(14)
})

describe.skipIf(!hasPython())('a configuration of Gunicorn', () => {
  test.each(configurations)('%s is accepted by Gunicorn and by us', async (name) => {
    const { env, args } = partsOf(name)
    const environment = {
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      VIRTUAL_ENV: testPython().prefix,
      RUN_AS: 'nobody',
      RUN_AS_GROUP: 'nogroup',
      ...env,
    }
    const gunicorn = spawnSync(
      join(testPython().prefix, 'bin', 'gunicorn'),
      ['--check-config', ...args],
      { cwd: folder, env: environment, encoding: 'utf8' },
    )
    expect({ status: gunicorn.status, errors: gunicorn.stderr }).toEqual({ status: 0, errors: '' })

    const ours = await runCommandHere(['--check-config', ...args], {
      cwd: folder,
      env: environment,
    })
    const refused = REFUSED[name]
    if (refused !== undefined) {
      expect(ours.stderr).toMatch(refused)
      return
    }
    expect(ours).toEqual({
      served: null,
      stderr: expect.stringMatching(/^(monoceros: note: .*\n)*$/),
      code: 0,
      stdout: expect.stringMatching(/^Configuration is valid.*, and app:app can be loaded\n$/),
    })
  })
})
