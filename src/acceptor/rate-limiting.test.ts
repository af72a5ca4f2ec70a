import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { loadSettings } from '../config/load-settings.ts'
import { ErrorLog } from '../logging/error-log.ts'
import { RequestEvents } from '../observe/request-events.ts'
import { errorLogOptions } from '../settings/log-options.ts'
import { rateLimiting } from './rate-limiting.ts'

// An installation without ioredis, which is in the repository.
vi.mock('../own-files/own-files.ts', async (original) => ({
  ...(await original<typeof import('../own-files/own-files.ts')>()),
  ownFile: (name: string) => join(tmpdir(), name),
}))

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
