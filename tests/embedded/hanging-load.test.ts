import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { get } from '../support/plain-application.ts'
import { exchangeOnce } from '../support/raw-client.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// tests/e2e/hanging-load.test.ts on the embedded Python.

/** Milliseconds that whatever starts something may take, on a machine that has much else to do. */
const START = 60_000

const folder = temporaryDirectory()
afterAll(folder.remove)

function write(name: string, text: string): void {
  writeFileSync(join(folder.path, name), text)
}

async function answer(server: RunningServer): Promise<string> {
  return (await exchangeOnce(server, get('/'))).text
}

const python = (text: string) => `
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"${text}"]
`

describe('an application on the embedded Python', () => {
  test('one whose import runs for ever costs the reload; another HUP takes its place', async () => {
    write('webapp.py', python('old'))
    const server = await startServer({
      app: 'webapp:app',
      args: ['--runtime', 'pyodide', '--load-timeout', '20'],
      cwd: folder.path,
    })
    const hung = 'def run_for_ever():\n    while True:\n        pass\n\nrun_for_ever()\n'
    write('helper.py', hung)
    write('webapp.py', `import helper\n${python('never')}`)
    server.signal('SIGHUP')
    await server.waitForLog(
      /still loading webapp:app after 10 s.*\/helper\.py", line \d, in run_for_ever\n/s,
      {
        timeout: START,
      },
    )
    expect(await answer(server)).toBe('old')
    await server.waitForLog(
      /could not be loaded within 20 s.*Reload failed; the previous application and settings stay in use/s,
      {
        timeout: START,
      },
    )
    expect(server.log()).not.toMatch(/python\/monoceros|frozen importlib|_pyodide|<exec>/)
    write('webapp.py', `open("loading", "w").close()\nimport helper\n${python('never')}`)
    server.signal('SIGHUP')
    await waitFor('it to hang', () => existsSync(join(folder.path, 'loading')), START)
    write('webapp.py', python('mended'))
    const from = server.log().length
    server.signal('SIGHUP')
    await server.waitForLog(/abandoning the reload in progress, to begin again.*Reloaded/s, {
      from,
      timeout: START,
    })
    await waitFor('the mended one', async () => (await answer(server)) === 'mended')
  })
})
