import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../../tests/support/applications.ts'
import { notThere, serveHandler } from '../../tests/support/handler-server.ts'
import { makeSpool } from '../../tests/support/spool.ts'
import { loadSettings } from '../config/load-settings.ts'
import { chain } from '../edge/chain.ts'
import { ErrorLog } from '../logging/error-log.ts'
import { errorLogOptions } from '../settings/log-options.ts'
import { fileHandlers } from './file-handlers.ts'

test('a static file that may not be read is not found, and the log says why', async () => {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  chmodSync(folder.path, 0o755)
  const file = join(folder.path, 'locked.txt')
  writeFileSync(file, 'locked')
  chmodSync(file, 0)
  const args = ['--static', `/static=${folder.path}`, 'shop:app']
  const { settings } = await loadSettings({ args, env: {}, cwd: folder.path })
  const warnings: string[] = []
  const { byPath } = fileHandlers({
    settings,
    spool: makeSpool(folder.path),
    log: new ErrorLog(errorLogOptions(settings)),
    warn: (kind, text) => warnings.push(`${kind}: ${text}`),
    metrics: null,
  })
  const server = await serveHandler(chain(byPath, notThere))
  // Root may read everything.
  const isRoot = process.getuid?.() === 0
  if (isRoot) process.seteuid?.(65534)
  const answer = await server.ask({ target: '/static/locked.txt' }).finally(() => {
    if (isRoot) process.seteuid?.(0)
  })
  expect(answer.status).toMatch(/^404/)
  expect(warnings).toEqual([
    `files that may not be read: "${file}" may not be read (EACCES); it is ` +
      'treated as missing [MONO4044]',
  ])
})
