import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { splitShellWords } from '../../src/settings/shell-words.ts'
import { appsDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runToEnd } from '../support/running-server.ts'

const folder = join(appsDirectory, 'gunicorn-configs')
const NOT_CONFIGURATIONS = ['app.py', 'events.py']
const configurations = readdirSync(folder).filter(
  (name) => /\.(py|args)$/.test(name) && !NOT_CONFIGURATIONS.includes(name),
)

/** What we do not have yet, with the reason. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'tls.py': /^monoceros: tls\.py:\d+: \w+ is not supported: TLS is not supported yet/,
  'unit.args': /^monoceros: --certfile is not supported: TLS is not supported yet/,
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
    const options = { cwd: folder, env: environment }
    const gunicorn = join(testPython().prefix, 'bin', 'gunicorn')
    const theirs = await runToEnd(gunicorn, ['--check-config', ...args], options)
    expect(theirs).toMatchObject({ code: 0, stderr: '' })

    const ours = await runToEnd(process.execPath, [commandPath, '--check-config', ...args], options)
    const refused = REFUSED[name]
    if (refused !== undefined) {
      expect(ours).toMatchObject({ code: 2, stderr: expect.stringMatching(refused) })
      return
    }
    expect(ours).toEqual({
      code: 0,
      signal: null,
      stdout: expect.stringMatching(/^Configuration is valid.*, and app:app can be loaded$/m),
      stderr: expect.stringMatching(/^(monoceros: note: .*\n)*$/),
    })
  })
})
