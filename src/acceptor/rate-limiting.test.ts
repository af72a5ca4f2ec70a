import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { loadSettings } from '../config/load-settings.ts'
import { ErrorLog } from '../logging/error-log.ts'
import { RequestEvents } from '../observe/request-events.ts'
import { errorLogOptions } from '../settings/log-options.ts'

// An installation without ioredis, which is in the repository.
vi.mock('../own-files/own-files.ts', async (original) => ({
  ...(await original<typeof import('../own-files/own-files.ts')>()),
  ownFile: (name: string) => join(tmpdir(), name),
}))
// Tests of one process share modules: this one gets its own, and leaves none behind.
vi.resetModules()
const { rateLimiting } = await import('./rate-limiting.ts')
afterAll(() => {
  vi.resetModules()
})

test('a store without the package ioredis says what to install', async () => {
  const args = ['--rate-limit', '20/s', '--rate-limit-store', 'redis://127.0.0.1:9', 'shop:app']
  const { settings } = await loadSettings({ args, env: {}, cwd: tmpdir() })
  const log = new ErrorLog(errorLogOptions(settings))
  const made = rateLimiting(settings, new RequestEvents(() => {}), log, async () => null as never)
  await expect(made).rejects.toMatchObject({
    code: 'missing-package',
    message:
      'rate_limit_store needs the package ioredis, which is not installed: npm install ioredis ' +
      '[MONO8301]',
  })
})
