import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../../tests/support/applications.ts'
import { ArbiterEvents } from '../../observe/arbiter-events.ts'
import type { Settings } from '../../settings/table.ts'
import type { ArbiterActions, DriverLog } from '../actions.ts'
import { knock } from '../listeners.ts'
import { ControlDriver } from './control.ts'

/** The driver of a server that was started to replace another one. */
async function successor(path: string) {
  const settings = {
    controlSocket: path,
    controlSocketMode: 0o600,
    controlSocketDisable: false,
  } as Settings
  const events = new ArbiterEvents((topic, error) => {
    throw new Error(`${topic}: ${error}`)
  })
  const warnings: string[] = []
  const log = { warning: (text: string) => warnings.push(text) } as unknown as DriverLog
  const driver = new ControlDriver({ settings, pid: process.pid, isUpgrade: true })
  await driver.start({ events } as ArbiterActions, log)
  onTestFinished(() => driver.end())
  return { warnings, promoted: () => events.upgrade.publish({ phase: 'promoted', pid: 66 }) }
}

test('a successor takes the path of its predecessor when that is gone', async () => {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  const path = join(folder.path, 'shop.ctl')
  const { warnings, promoted } = await successor(path)
  expect(await knock(`${path}.2`)).toBe('connected')
  promoted()
  expect(await knock(path)).toBe('connected')
  expect(await knock(`${path}.2`)).toBe('ENOENT')
  expect(warnings).toEqual([])
})

test('a successor that cannot have the path keeps its own, and says so', async () => {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  const path = join(folder.path, 'shop.ctl')
  const { warnings, promoted } = await successor(path)
  mkdirSync(path)
  promoted()
  expect(await knock(`${path}.2`)).toBe('connected')
  expect(warnings).toEqual([`Cannot move the control socket ${path}.2 to ${path} [MONO5403]`])
})
