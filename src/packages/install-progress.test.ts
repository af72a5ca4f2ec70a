import { expect, test } from 'vitest'
import type { InstallNotice } from './install-job.ts'
import { InstallProgress, size } from './install-progress.ts'

const half = {
  kind: 'download',
  name: 'a.whl',
  received: 600_000,
  total: 1_200_000,
  done: false,
} as const
const whole = { ...half, received: 1_200_000, done: true } as const

function shown(columns: number | null, quiet: boolean, ...notices: InstallNotice[]): string {
  let text = ''
  let now = 0
  const progress = new InstallProgress(
    (more) => {
      text += more
    },
    columns,
    quiet,
    () => {
      now += 1000
      return now
    },
  )
  for (const notice of notices) progress.take(notice)
  progress.clear()
  return text
}

test('without a terminal there is a line for each file', () => {
  const text = shown(null, false, { kind: 'step', text: 'Thinking' }, half, whole, {
    kind: 'cached',
    name: 'b.whl',
  })
  expect(text).toBe('a.whl (1.2 MB)\nb.whl (from the cache)\n')
})

test('on a terminal one line is written over, cut to its width, and gone in the end', () => {
  expect(shown(80, false, half)).toBe(`\ra.whl: 600 kB of 1.2 MB\r${' '.repeat(23)}\r`)
  expect(shown(10, false, { kind: 'step', text: 'Finding out' })).toBe(
    `\rFinding …\r${' '.repeat(9)}\r`,
  )
})

test('quiet leaves warnings', () => {
  expect(shown(80, true, half, whole, { kind: 'warning', text: 'look out' })).toBe(
    'monoceros: warning: look out [MONO7109]\n',
  )
})

test("an index's metadata files are no packages", () => {
  expect(shown(null, false, { ...whole, name: 'a.whl.metadata' })).toBe('')
})

test('what comes from outside cannot steer the terminal', () => {
  expect(shown(null, false, { kind: 'said', text: 'a\u001b[2Jb\nc' })).toBe('a?[2Jb\nc\n')
  expect(shown(null, false, { ...whole, name: 'a\u001b[2J.whl' })).toBe('a?[2J.whl (1.2 MB)\n')
  expect(shown(null, false, { ...whole, name: 'a-1-py3-none-any.\nmonoceros: b.whl' })).toBe(
    'a-1-py3-none-any.?monoceros: b.whl (1.2 MB)\n',
  )
  expect(shown(null, false, { kind: 'said', text: 'a\u202eb' })).toBe('a?b\n')
})

test('sizes are in steps of a thousand', () => {
  expect([999, 1000, 999_999, 8_123_000].map(size)).toEqual([
    '999 bytes',
    '1 kB',
    '1000 kB',
    '8.1 MB',
  ])
})
