import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandPath } from '../support/build.ts'
import { hasPython, runPython, sitePackages } from '../support/python.ts'
import { type RunningServer, runToEnd } from '../support/running-server.ts'
import { startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// Asynchronous views go by asgiref, which takes threads for them; the embedded Python has one.

const programs = join(import.meta.dirname, 'embedded-parity')

describe.skipIf(!hasPython())('asynchronous code in an application', () => {
  test('does on the embedded Python what it does on the system\u2019s', async () => {
    const program = join(programs, 'bridges.py')
    const args = [commandPath, 'python', '--pythonpath', sitePackages(), program]
    const { code, stdout, stderr } = await runToEnd(process.execPath, args, {
      env: {
        PATH: '/nowhere',
        MONOCEROS_CACHE: process.env.MONOCEROS_CACHE,
        TMPDIR: process.env.TMPDIR,
      },
      cwd: programs,
      timeout: 100_000,
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const natively = JSON.parse(
      runPython('import runpy, sys; runpy.run_path(sys.argv[1], run_name="__main__")', program),
    )
    expect(Object.keys(natively).length).toBeGreaterThan(10)
    expect(JSON.parse(stdout)).toEqual(natively)
  })

  describe('served by the embedded Python', () => {
    const start = (timeout: string) =>
      startServer({
        app: 'asynchronous:application',
        args: [
          '--runtime',
          'pyodide',
          '--workers',
          '1',
          '--timeout',
          timeout,
          '--pythonpath',
          sitePackages(),
        ],
        cwd: programs,
      })
    let server: RunningServer
    beforeAll(async () => {
      server = await start('1')
    })
    afterAll(() => server?.stop())
    const status = async (path: string) => (await fetch(server.url + path)).status
    /** On a busy machine a request may take longer than the second that there is for it. */
    const answersAgain = () => waitFor('an answer', async () => (await status('/returns')) === 200)

    test.each([
      // A coroutine that waits is on no stack.
      ['sleeps', 'application'],
      ['computes', 'computes'],
      ['waits_for_function', 'spins'],
      ['one_within_the_other', 'one_within_the_other'],
    ])(
      '%s runs out of time: 504, with its stack in the log, and the next one is answered',
      async (route, where) => {
        const from = server.log().length
        expect(await status(`/${route}`)).toBe(504)
        await server.waitForLog(
          new RegExp(`GET /${route}: the request ran out of time[^]*in ${where}\\b`),
          {
            from,
          },
        )
        await answersAgain()
        // The same worker: it was interrupted, not replaced.
        expect(server.log().slice(from)).not.toMatch(/Killing (the )?worker|Worker \d+ serves/)
      },
    )

    test('what would wait forever is an error that says so, long before the timeout', async () => {
      const patient = await start('60')
      for (const [route, message] of [
        ['waits_for_nothing', 'this event loop would wait forever'],
        ['starts_thread', "can't start new thread"],
      ]) {
        const from = patient.log().length
        expect((await fetch(`${patient.url}/${route}`)).status).toBe(500)
        await patient.waitForLog(new RegExp(`RuntimeError: ${message}`), { from })
        expect((await fetch(`${patient.url}/returns`)).status).toBe(200)
      }
    })
  })
})
