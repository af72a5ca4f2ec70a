import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parseInstallOptions } from './install-options.ts'
import { requestOf } from './install-request.ts'

const cwd = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
afterAll(() => rmSync(cwd, { recursive: true }))

const request = (args: string, env = {}) =>
  requestOf(parseInstallOptions(args.split(' ').filter(Boolean)), { cwd, env })
const write = (text: string) => writeFileSync(join(cwd, 'requirements.txt'), text)

test('the same requirements are the same request, in any order and from a file', () => {
  const asked = request('flask click>=8,<9')
  expect(asked).toMatch(/^[0-9a-f]{64}$/)
  expect(request('click>=8,<9 flask -q --no-compile')).toBe(asked)
  write('# the site\nflask\n\nclick>=8,<9  # for its commands\n')
  expect(request('-r requirements.txt')).toBe(asked)
  write('flask\nclick>=8\n')
  expect(request('-r requirements.txt')).not.toBe(asked)
  expect(request('flask==3.0.0')).not.toBe(request('flask'))
  expect(request('flask[async]')).not.toBe(request('flask'))
})

test.each([
  '',
  '-U flask',
  '--force-reinstall flask',
  '--pre flask',
  '-c limits.txt flask',
  '--no-deps flask',
  './flask-3.1.3-py3-none-any.whl',
  'https://index.example/flask-3.1.3-py3-none-any.whl',
  'flask@https://index.example/flask-3.1.3-py3-none-any.whl',
  '-r none.txt',
])('an installation has to look for "%s"', (args) => {
  expect(request(args)).toBeNull()
})

test('it has to look for files that name others, and where the environment asks for more', () => {
  for (const line of ['-r other.txt', '-e .', './local', 'a @ file:///a.whl', '--pre']) {
    write(`flask\n${line}\n`)
    expect([line, request('-r requirements.txt')]).toEqual([line, null])
  }
  expect(request('flask', { PIP_UPGRADE: '1' })).toBeNull()
  expect(request('flask', { PIP_INDEX_URL: 'https://index.example/' })).not.toBeNull()
})
