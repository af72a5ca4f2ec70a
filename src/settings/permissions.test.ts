import { describe, expect, test } from 'vitest'
import type { SettingDefinition } from './definition.ts'
import { settingsTable } from './table.ts'
import { readValue, ValueError, writeValue } from './value.ts'

const table: readonly SettingDefinition[] = settingsTable
const named = (name: string) => table.find((setting) => setting.name === name)!

describe('a umask', () => {
  const umask = named('umask')

  // The right column is what Gunicorn 27 makes of it: auto_int() of its config.py.
  test.each([
    ['0', 0],
    ['007', 0o7],
    ['0022', 0o22],
    ['0o27', 0o27],
    ['0x3f', 0o77],
    ['0b111', 0o7],
    ['18', 0o22],
    [0o77, 0o77],
  ])('%j is read as Gunicorn reads it', (raw, value) => {
    expect(readValue(umask, raw, '/')).toBe(value)
    expect(readValue(umask, writeValue(umask, value), '/')).toBe(value)
  })

  test.each(['', '08', '-1', '0o1000', '512', 'x', '1e1', 1.5, -1, null, true])(
    '%j is refused',
    (raw) => {
      expect(() => readValue(umask, raw, '/')).toThrow(ValueError)
    },
  )
})

describe('a mode', () => {
  const mode = named('socket_mode')

  test.each([
    ['660', 0o660],
    ['0660', 0o660],
    ['0o660', 0o660],
    [0o660, 0o660],
    [null, null],
  ])('%j is octal', (raw, value) => {
    expect(readValue(mode, raw, '/')).toBe(value)
    expect(readValue(mode, writeValue(mode, value), '/')).toBe(value)
  })

  // In JSON, 660 is decimal, which is no mode.
  test.each(['', '888', '1777', 660, 'rw'])('%j is refused', (raw) => {
    expect(() => readValue(mode, raw, '/')).toThrow(ValueError)
  })
})

test('a user may be a number, as in a file of Gunicorn', () => {
  expect(readValue(named('user'), 0, '/')).toBe('0')
  expect(readValue(named('user'), 'root', '/')).toBe('root')
  for (const raw of [-1, 1.5, '', true, ['root']])
    expect(() => readValue(named('user'), raw, '/'), String(raw)).toThrow(ValueError)
})
