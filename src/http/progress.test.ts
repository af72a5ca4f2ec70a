import { describe, expect, it } from 'vitest'
import { Progress } from './progress.ts'

describe('the progress of a client', () => {
  it('is judged from the second look on, and by its rate', () => {
    const progress = new Progress()
    expect(progress.look(0, 0)).toBeNull()
    expect(progress.look(10, 1000)).toEqual({ bytes: 10, milliseconds: 1000 })
    expect(progress.look(10 + 16 * 1024, 2000)).toBeNull()
  })

  it('is not judged twice within a second, nor after a long time without a look', () => {
    const progress = new Progress()
    progress.look(0, 0)
    expect(progress.look(0, 999)).toBeNull()
    expect(progress.look(0, 5000)).toBeNull()
    expect(progress.look(0, 6000)).toEqual({ bytes: 0, milliseconds: 1000 })
  })
})
