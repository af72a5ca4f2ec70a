import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { loadSettings } from '../../../config/load-settings.ts'
import { ArbiterEvents } from '../../../observe/arbiter-events.ts'
import type { ArbiterActions } from '../../actions.ts'
import { ReloadDriver } from './reload-driver.ts'

let folder: string

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'reload-driver-')))
})

afterEach(() => rmSync(folder, { recursive: true }))

test('a config file that is a device, as in -c /dev/null, is not watched', async () => {
  writeFileSync(join(folder, 'site.py'), 'version = 1')
  const { settings } = await loadSettings({ args: ['-b', ':0', 'site:app'], cwd: folder, env: {} })
  const driver = new ReloadDriver({ ...settings, config: '/dev/null', reloadEngine: 'inotify' })
  const reloads: string[] = []
  const events = new ArbiterEvents((error) => {
    throw error
  })
  const actions = {
    events,
    reload: async (cause: string) => {
      reloads.push(cause)
    },
  } as unknown as ArbiterActions
  const ignore = () => {}
  await driver.start(actions, { log: ignore, debug: ignore, info: ignore, warning: ignore })
  try {
    events.acceptorStarted.publish({} as never)
    events.acceptorReady.publish({} as never)
    events.filesLoaded.publish({ files: [join(folder, 'site.py')] } as never)
    // What the test itself changes comes last, so that changes of the device would come before.
    writeFileSync('/dev/null', 'x')
    await vi.waitFor(() => {
      writeFileSync('/dev/null', 'x')
      writeFileSync(join(folder, 'site.py'), `version = ${Date.now()}`)
      expect(reloads).not.toHaveLength(0)
    }, 25_000)
    expect(new Set(reloads)).toEqual(new Set(['site.py has changed']))
  } finally {
    await driver.end()
  }
})
