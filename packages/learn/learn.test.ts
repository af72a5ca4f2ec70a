import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { learn } from './learn.js'

// What the command refuses before it serves anything. tests/release/learn.test.ts has the rest.

let cwd: string
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'monoceros-learn-'))
})
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

/** Runs the command, of another folder if that is given: what it says, and its status. */
async function refused(given: { host?: string; port: number; saveTo?: string }, run = learn) {
  let stderr = ''
  const { host = '127.0.0.1', port, saveTo = null } = given
  const status = await run(
    { bind: { host, port }, saveTo, save: true, browser: false },
    { cwd, env: {}, stderr: { write: (text: string) => (stderr += text) } },
  )
  return { stderr, status }
}

test.each(['file', join('nowhere', 'at', 'all')])('nothing is saved to %s', async (path) => {
  writeFileSync(join(cwd, 'file'), '')
  expect((await refused({ port: 9, saveTo: path })).stderr).toBe(
    'monoceros learn: --save-to: expected a folder, or a new one in a folder, got ' +
      `${join(cwd, path)} [MONO7202]\n`,
  )
})

test('an address of another machine is refused', async () => {
  expect((await refused({ host: '192.0.2.1', port: 0 })).stderr).toMatch(
    /^monoceros learn: --bind: listen EADDRNOTAVAIL.* \[MONO7203\]\n$/,
  )
})

test('a package without its site says so', async () => {
  const copy = join(cwd, 'node_modules', 'monoceros-learn')
  mkdirSync(copy, { recursive: true })
  writeFileSync(join(copy, 'package.json'), '{ "type": "module" }')
  for (const name of readdirSync(import.meta.dirname))
    if (name.endsWith('.js')) cpSync(join(import.meta.dirname, name), join(copy, name))
  const of = await import(/* @vite-ignore */ pathToFileURL(join(copy, 'learn.js')).href)
  expect((await refused({ port: 9 }, of.learn)).stderr).toBe(
    'monoceros learn: there is no site; build it: npm run site -- --build [MONO7204]\n',
  )
})
