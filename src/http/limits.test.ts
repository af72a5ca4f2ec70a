import { describe, expect, it } from 'vitest'
import {
  DEFAULT_HEAD_LIMITS,
  effectiveLimits,
  FIELD_SIZE_CEILING,
  FIELDS_CEILING,
  HEAD_CEILING,
  limitText,
  REQUEST_LINE_CEILING,
} from './limits.ts'

describe('limits', () => {
  const ceilings = {
    requestLine: REQUEST_LINE_CEILING,
    fields: FIELDS_CEILING,
    fieldSize: FIELD_SIZE_CEILING,
    head: HEAD_CEILING,
    headerMap: 'drop',
    forwarderHeaders: new Set(),
  }

  it('are by default those of Gunicorn, and 64 KiB for the head', () => {
    expect(effectiveLimits(DEFAULT_HEAD_LIMITS)).toEqual({
      requestLine: 4094,
      fields: 100,
      fieldSize: 8190,
      head: 65536,
      headerMap: 'drop',
      forwarderHeaders: new Set(),
    })
  })

  it('of 0 are ceilings', () => {
    const none = { requestLine: 0, fields: 0, fieldSize: 0, head: 0 }
    expect(effectiveLimits({ ...none, headerMap: 'drop' })).toEqual(ceilings)
  })

  it('above the ceilings are ceilings', () => {
    const huge = Number.MAX_SAFE_INTEGER
    const large = { requestLine: huge, fields: huge, fieldSize: huge, head: huge }
    expect(effectiveLimits({ ...large, headerMap: 'drop' })).toEqual(ceilings)
  })

  it('say which setting raises them, where one does', () => {
    expect(limitText(4094, 'bytes', 'limit_request_line', REQUEST_LINE_CEILING)).toBe(
      '4094 bytes (limit_request_line)',
    )
    expect(limitText(HEAD_CEILING, 'bytes', 'limit_request_head', HEAD_CEILING)).toBe(
      '1048576 bytes (the most that is ever accepted)',
    )
  })
})
