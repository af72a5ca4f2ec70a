import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { commandPath } from '../support/build.ts'
import { makeCertificate } from '../support/certificates.ts'
import { startGunicorn } from '../support/gunicorn.ts'
import {
  configurations,
  configurationsFolder,
  partsOf,
} from '../support/gunicorn-configurations.ts'
import { hasPython, testPython } from '../support/python.ts'
import { runToEnd } from '../support/running-server.ts'
import { startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

const certificates = mkdtempSync(join(tmpdir(), 'monoceros-certificates-'))
afterAll(() => rmSync(certificates, { recursive: true, force: true }))

/** Arguments without these flags and their values. */
function without(args: readonly string[], flags: readonly string[]): string[] {
  return args.filter((arg, i) => !flags.includes(arg) && !flags.includes(args[i - 1] ?? ''))
}

/** `server.pem` and `server.key`, which one of them names, and `tls.py` takes from variables. */
function serverCertificate(): { cert: string; key: string } {
  return makeCertificate(certificates, { name: 'server' })
}

test('there are 18 configurations', () => {
  expect(configurations).toHaveLength(18)
  expect(configurations.filter((name) => name.endsWith('.py'))).toHaveLength(14)
})

describe.skipIf(!hasPython())('a configuration of Gunicorn', () => {
  test.each(configurations)('%s is accepted by both', async (name) => {
    const { env, args: given } = partsOf(name)
    const { cert, key } = serverCertificate()
    const files: Record<string, string> = { 'server.pem': cert, 'server.key': key }
    // No interpreter that anybody may run has gevent.
    const same = given.includes('gevent') ? without(given, ['--user', '--group']) : given
    const args = same.map((word) => files[word] ?? word)
    const environment = {
      CERTFILE: cert,
      KEYFILE: key,
      PATH: process.env.PATH ?? '',
      HOME: process.env.HOME ?? '',
      VIRTUAL_ENV: testPython().prefix,
      RUN_AS: 'nobody',
      RUN_AS_GROUP: 'nogroup',
      ...env,
    }
    const options = { cwd: configurationsFolder, env: environment }
    const gunicorn = join(testPython().prefix, 'bin', 'gunicorn')
    const theirs = await runToEnd(gunicorn, ['--check-config', ...args], options)
    expect(theirs).toMatchObject({ code: 0, stderr: '' })

    const ours = await runToEnd(process.execPath, [commandPath, '--check-config', ...args], options)
    expect(ours).toEqual({
      code: 0,
      signal: null,
      stdout: expect.stringMatching(/^Configuration is valid.*, and app:app can be loaded$/m),
      stderr: expect.stringMatching(/^(monoceros: note: .*\n)*$/),
    })
  })
})

/** Configurations that note what their hooks see, with what they note when a worker is there. */
const NOTING: readonly (readonly [name: string, workers: number, noted: RegExp | null])[] = [
  ['every_hook.py', 1, /^post_worker_init/gm],
  ['preload_freeze.py', 2, /^post_fork/gm],
  ['database_pool.py', 2, /^post_fork/gm],
  ['prometheus.py', 2, null],
  ['request_times.py', 1, null],
]

describe.skipIf(!hasPython())('the hooks of a configuration', () => {
  const events = mkdtempSync(join(tmpdir(), 'gunicorn-events-'))
  afterAll(() => rmSync(events, { recursive: true }))

  /** What they note while a server starts, answers a request and stops, sorted. */
  async function noted(
    start: typeof startServer,
    [name, workers, ready]: (typeof NOTING)[number],
  ): Promise<string[]> {
    const file = join(events, `${start.name}-${name}`)
    writeFileSync(file, '')
    const server = await start({
      app: 'app:app',
      args: ['-c', name, '-b', '127.0.0.1:0'],
      env: { EVENTS: file },
      cwd: configurationsFolder,
    })
    // Gunicorn answers while other workers still start.
    await waitFor('every worker', () => {
      const there =
        ready === null ? server.workers() : [...readFileSync(file, 'utf8').matchAll(ready)]
      return there.length >= workers
    })
    expect((await fetch(`${server.url}/cart?item=1`)).status).toBe(200)
    await server.stop()
    return readFileSync(file, 'utf8').trimEnd().split('\n').sort()
  }

  test.each(NOTING)('%s: the same in both servers', async (...configuration) => {
    const theirs = await noted(startGunicorn, configuration)
    expect(theirs.length).toBeGreaterThan(1)
    expect(await noted(startServer, configuration)).toEqual(theirs)
  })
})
