import { describe, expect, it } from 'vitest'
import {
  DEFAULT_HEAD_LIMITS,
  effectiveLimits,
  FIELD_SIZE_CEILING,
  FIELDS_CEILING,
  REQUEST_LINE_CEILING,
} from './limits.ts'

describe('limits', () => {
  const ceilings = {
    requestLine: REQUEST_LINE_CEILING,
    fields: FIELDS_CEILING,
    fieldSize: FIELD_SIZE_CEILING,
    headerMap: 'drop',
  }

  it('are by default those of Gunicorn', () => {
    expect(effectiveLimits(DEFAULT_HEAD_LIMITS)).toEqual({
      requestLine: 4094,
      fields: 100,
      fieldSize: 8190,
      headerMap: 'drop',
    })
  })

  it('of 0 are ceilings', () => {
    expect(effectiveLimits({ requestLine: 0, fields: 0, fieldSize: 0, headerMap: 'drop' })).toEqual(ceilings)
  })

  it('above the ceilings are ceilings', () => {
    const huge = Number.MAX_SAFE_INTEGER
    expect(effectiveLimits({ requestLine: huge, fields: huge, fieldSize: huge, headerMap: 'drop' })).toEqual(
      ceilings,
    )
  })
})
