import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { repository } from '../support/build.ts'

// What is public, as the reports in the folder `api` have it: the types of every entry, and the
// settings, flags and exit statuses of the command.

const folder = join(repository, 'api')

function reportsIn(path: string): Record<string, string> {
  const names = existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.md')) : []
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(path, name), 'utf8')]))
}

test('the reports of the public API are those of the code', () => {
  const fresh = mkdtempSync(join(tmpdir(), 'monoceros-api-'))
  try {
    const script = join(repository, 'scripts', 'api', 'write-reports.mjs')
    execFileSync(process.execPath, [script, fresh], { stdio: ['ignore', 'ignore', 'inherit'] })
    const written = reportsIn(fresh)
    expect(Object.keys(written)).toContain('monoceros.api.md')
    expect(
      reportsIn(folder),
      'What is public has changed. Run `npm run api`, look at the difference, and commit it.',
    ).toEqual(written)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
})

test('what breaks users of the last release is named in the changelog', () => {
  const script = join(repository, 'scripts', 'api', 'print-changes.mjs')
  const { status, stderr, stdout } = spawnSync(process.execPath, [script], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(stdout).not.toBe('')
  expect(status).toBe(0)
})
