import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { forgetAllocator, willEmbed, withAllocator } from './allocator.ts'

test('what is set for the allocator is gone when the process has begun, in its commands too', () => {
  const begun = withAllocator({ COLOUR: 'red' })
  expect(begun).toMatchObject({ COLOUR: 'red', MALLOC_ARENA_MAX: '2' })
  forgetAllocator(begun)
  expect(begun).toEqual({ COLOUR: 'red' })

  const before = { ...process.env }
  try {
    Object.assign(process.env, withAllocator({}))
    forgetAllocator(process.env)
    expect(execFileSync('env', { encoding: 'utf8' })).not.toMatch(/MALLOC_|MONOCEROS_ALLOCATOR/)
  } finally {
    Object.assign(process.env, before)
  }
})

test('who sets one of these themselves has it their way, and keeps it', () => {
  for (const name of ['MALLOC_ARENA_MAX', 'MALLOC_TRIM_THRESHOLD_', 'GLIBC_TUNABLES']) {
    const environment = withAllocator({ [name]: '1' })
    forgetAllocator(environment)
    expect(environment).toEqual({ [name]: '1' })
  }
})

test('it is for acceptors with embedded interpreters only', () => {
  const chdir = mkdtempSync(join(tmpdir(), 'monoceros-allocator-'))
  try {
    const settings = { runtime: 'auto', wsgiApp: 'app:app', python: null, chdir } as const
    expect(willEmbed(settings, { PATH: `/nowhere:${chdir}` })).toBe(true)
    expect(willEmbed({ ...settings, runtime: 'pyodide', python: 'python3' }, process.env)).toBe(
      true,
    )
    expect(willEmbed({ ...settings, runtime: 'cpython' }, { PATH: '/nowhere' })).toBe(false)
    expect(willEmbed({ ...settings, wsgiApp: 'app.ts' }, { PATH: '/nowhere' })).toBe(false)
    expect(willEmbed({ ...settings, python: 'python3' }, { PATH: '/nowhere' })).toBe(false)
    writeFileSync(join(chdir, 'python3'), '')
    expect(willEmbed(settings, { PATH: `/nowhere:${chdir}` })).toBe(false)
    mkdirSync(join(chdir, '.venv/bin'), { recursive: true })
    writeFileSync(join(chdir, '.venv/bin/python'), '')
    expect(willEmbed(settings, { PATH: '/nowhere' })).toBe(false)
  } finally {
    rmSync(chdir, { recursive: true, force: true })
  }
})
