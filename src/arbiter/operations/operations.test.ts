import { spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ask } from '../../../tests/support/metrics.ts'
import { loadSettings } from '../../config/load-settings.ts'
import { ArbiterEvents } from '../../observe/arbiter-events.ts'
import type { ArbiterActions } from '../actions.ts'
import { Operations } from './operations.ts'
import { OperationsServer } from './operations-server.ts'
import { Readiness } from './readiness.ts'

const TOKEN = 'a-token-of-the-operations-test'

/** Operations at a unix socket, with the settings of these arguments. */
async function listening(args: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-operations-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const events = new ArbiterEvents((_topic, error) => {
    throw error
  })
  const actions = { events, state: 'serving', ask: async () => [] } as unknown as ArbiterActions
  const address = `unix:${join(folder, 'metrics.sock')}`
  const settings = async (more: readonly string[]) => {
    const all = ['shop:app', '--metrics-bind', address, '--dashboard', 'off', ...more]
    return (await loadSettings({ args: all, env: {}, cwd: folder })).settings
  }
  const logged: string[] = []
  const log = {
    log: (_level: string, text: string) => void logged.push(text),
    debug: (text: string) => void logged.push(text),
    info: (text: string) => void logged.push(text),
    warning: (text: string) => void logged.push(text),
  }
  const operations = new Operations({
    actions,
    log: log as never,
    readiness: new Readiness(actions),
    settings: await settings(args),
  })
  onTestFinished(() => operations.end())
  await operations.listen(false)
  const control = async (token: string) => {
    const headers = { Authorization: `Bearer ${token}` }
    return (await ask(address, '/control/requests', { headers })).status
  }
  const use = async (more: readonly string[]) => operations.use(await settings(more))
  return { folder, address, logged, control, use }
}

test('a token that a reload could not read is in force after the reload that can', async () => {
  const { folder, control, use, logged } = await listening()
  const file = join(folder, 'token')
  expect(await control(TOKEN)).toBe(404)
  await use(['--control-token-file', file])
  expect(logged.join()).toContain(file)
  expect(await control(TOKEN)).toBe(404)
  writeFileSync(file, TOKEN)
  await use(['--control-token-file', file])
  expect(await control(TOKEN)).toBe(200)
})

test('another token is taken over, and a file that cannot be used keeps the one before', async () => {
  const { folder, control, use } = await listening()
  const file = join(folder, 'token')
  writeFileSync(file, TOKEN)
  await use(['--control-token-file', file])
  writeFileSync(file, `${TOKEN}-2`)
  await use(['--control-token-file', file])
  expect([await control(TOKEN), await control(`${TOKEN}-2`)]).toEqual([401, 200])
  writeFileSync(file, 'short')
  await use(['--control-token-file', file])
  expect(await control(`${TOKEN}-2`)).toBe(200)
  await use([])
  expect(await control(`${TOKEN}-2`)).toBe(404)
  // It was given up: a file that cannot be used does not bring it back.
  await use(['--control-token-file', file])
  expect(await control(`${TOKEN}-2`)).toBe(404)
})

test('a connection that cannot be accepted does not end the arbiter', async () => {
  const { address } = await listening()
  let server: EventEmitter | undefined
  const note = (message: unknown) => {
    server = (message as { server: EventEmitter }).server
  }
  subscribe('http.server.request.start', note)
  onTestFinished(() => void unsubscribe('http.server.request.start', note))
  expect((await ask(address, '/livez')).status).toBe(200)
  for (let i = 0; i < 3; i++) server!.emit('error', new Error('accept EMFILE'))
  expect((await ask(address, '/livez')).status).toBe(200)
})

test('the file of its socket has socket_mode, and that of a dead server is replaced', async () => {
  const { folder, address } = await listening(['--socket-mode', '600'])
  const path = address.slice('unix:'.length)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const dead = join(folder, 'dead.sock')
  const kill = "() => process.kill(process.pid, 'SIGKILL')"
  const text = `require('net').createServer().listen(${JSON.stringify(dead)}, ${kill})`
  spawnSync(process.execPath, ['-e', text])
  expect(statSync(dead).isSocket()).toBe(true)
  const server = new OperationsServer({ routes: [], failed: () => {} })
  onTestFinished(() => server.close())
  await server.listen({ kind: 'unix', path: dead }, 0o600)
  expect((await ask(`unix:${dead}`, '/')).status).toBe(404)
})
