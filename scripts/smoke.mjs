/**
 * Serves a Python application with an installed server, and tries what every system must do: it
 * answers, streams, replaces killed workers, reloads, and stops. The workflows run it where the
 * suite does not run, such as on macOS.
 *
 *     npm run smoke                     the server of this repository, as it was built
 *     npm run smoke -- PATH/monoceros   another one
 */
import { strict as assert } from 'node:assert'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** How long each step may take, in milliseconds. */
const PATIENCE = 60_000
const APPLICATION = `
import os
VERSION = 1

def app(environ, start_response):
    path = environ['PATH_INFO']
    start_response('200 OK', [('Content-Type', 'text/plain')])
    if path == '/echo':
        return iter(lambda: environ['wsgi.input'].read(65536), b'')
    if path == '/pid':
        return [str(os.getpid()).encode()]
    return [b'version ', str(VERSION).encode()]
`

const [given] = process.argv.slice(2)
const built = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const command = given === undefined ? [process.execPath, built] : [resolve(given)]
const folder = mkdtempSync(join(tmpdir(), 'monoceros-smoke-'))
const module = join(folder, 'site_under_test.py')
writeFileSync(module, APPLICATION)

let log = ''
const server = spawn(
  command[0],
  [...command.slice(1), 'site_under_test:app', '-w', '2', '-b', '127.0.0.1:0'],
  {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  },
)
server.stderr.setEncoding('utf8').on('data', (text) => {
  log += text
})
let failure = null
server.on('error', (error) => {
  failure = error
})
const ended = new Promise((resolve) =>
  server.on('exit', (status, signal) => resolve({ status, signal })),
)

try {
  const base = await until('it listens', () => /http:\/\/127\.0\.0\.1:\d+/.exec(log)?.[0])
  const text = async (path, options) => await (await fetch(base + path, options)).text()

  assert.equal(await text('/'), 'version 1')
  say('it answers')

  const body = 'x'.repeat(2_000_000)
  assert.equal(await text('/echo', { method: 'POST', body }), body)
  say('2 MB come and go')

  const pid = await text('/pid')
  process.kill(Number(pid), 'SIGKILL')
  await until('a killed worker is replaced', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => text('/pid')))
    return new Set(answers).size === 2 && !answers.includes(pid)
  })
  say('a killed worker is replaced')

  writeFileSync(module, APPLICATION.replace('VERSION = 1', 'VERSION = 20'))
  server.kill('SIGHUP')
  await until('it reloads', async () => (await text('/')) === 'version 20')
  say('it reloads')

  server.kill('SIGTERM')
  assert.deepEqual(await Promise.race([ended, late('it stops')]), { status: 0, signal: null })
  say('it stops')
} catch (error) {
  console.error(error)
  console.error(`The log of ${command.join(' ')}:\n${log}`)
  process.exitCode = 1
} finally {
  server.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}

function say(text) {
  console.log(`ok: ${text}`)
}

/** Asks again until there is an answer. */
async function until(what, ask) {
  const end = Date.now() + PATIENCE
  for (;;) {
    const answer = await Promise.resolve().then(ask)
    if (answer) return answer
    if (failure !== null) throw failure
    if (server.exitCode !== null) throw new Error(`it ended with status ${server.exitCode}`)
    if (Date.now() > end) throw new Error(`not in ${PATIENCE / 1000} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function late(what) {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`not in ${PATIENCE / 1000} s: ${what}`)), PATIENCE).unref()
  })
}
