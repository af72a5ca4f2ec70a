import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/**
 * A folder that everybody may read, for a server that runs as another user: with the application
 * `app:app` and a temporary folder, until the test is over. Those of the suite are for its own
 * user.
 *
 * @param application what is in `app.py`
 */
export function publicFolder(application: string): string {
  const path = mkdtempSync('/tmp/monoceros-test-')
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  chmodSync(path, 0o755)
  mkdirSync(join(path, 'tmp'))
  chmodSync(join(path, 'tmp'), 0o1777)
  writeFileSync(join(path, 'app.py'), application)
  return path
}
