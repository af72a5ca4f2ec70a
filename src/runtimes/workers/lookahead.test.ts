import { describe, expect, it } from 'vitest'
import { Lookahead } from './lookahead.ts'

const nobody = () => false
const somebody = () => true

/** A worker whose requests take that many milliseconds each. */
function experienced(threads: number, service: number): Lookahead {
  const lookahead = new Lookahead(threads)
  for (let now = 0, n = 0; n < 100; n++) {
    lookahead.begin(now)
    now += service
    lookahead.finish(1, now)
  }
  return lookahead
}

describe('the space of a worker', () => {
  it('is five milliseconds of work beside what it runs', () => {
    expect(new Lookahead(1).space(0, 0)).toBe(6)
    expect(experienced(1, 1.9).space(0, 0)).toBe(3)
    expect(experienced(4, 1.9).space(0, 0)).toBe(6)
    expect(experienced(1, 20).space(0, 0)).toBe(1)
    expect(experienced(1, 20).space(1, 0)).toBe(0)
  })

  it('has a limit, however fast the worker is', () => {
    expect(experienced(1, 0.001).space(0, 0)).toBe(32)
  })

  it('counts several requests that ended together as one time', () => {
    const lookahead = new Lookahead(1)
    for (let now = 0; now < 1000; now += 10) lookahead.finish(10, now)
    expect(lookahead.space(0, 0)).toBe(6)
  })

  it('does not count those that share their thread', () => {
    expect(new Lookahead(1).space(4, 3)).toBe(5)
  })

  it('is what its threads can run, while it is stuck', () => {
    const lookahead = new Lookahead(2)
    lookahead.stuck = true
    expect(lookahead.space(1, 1)).toBe(1)
    expect(lookahead.space(2, 0)).toBe(0)
    lookahead.finish(1, 10)
    expect(lookahead.stuck).toBe(false)
  })
})

describe('a recall', () => {
  it('is due after 5 ms without an answer, if another worker is idle', () => {
    const lookahead = new Lookahead(1)
    lookahead.begin(100)
    expect(lookahead.isRecallDue(2, 105, false, somebody)).toBe(false)
    expect(lookahead.isRecallDue(2, 105.5, false, somebody)).toBe(true)
    expect(lookahead.stuck).toBe(true)
  })

  it('is due after four service times in any case', () => {
    const lookahead = experienced(1, 3)
    lookahead.begin(1000)
    expect(lookahead.isRecallDue(2, 1011, false, nobody)).toBe(false)
    expect(lookahead.isRecallDue(2, 1013, false, nobody)).toBe(true)
  })

  it('is due again after 20 ms, because requests may have been on their way', () => {
    const lookahead = new Lookahead(1)
    lookahead.begin(100)
    expect(lookahead.isRecallDue(2, 110, false, somebody)).toBe(true)
    lookahead.recalled(110)
    expect(lookahead.isRecallDue(2, 129, false, somebody)).toBe(false)
    expect(lookahead.isRecallDue(2, 131, false, somebody)).toBe(true)
  })

  it('is not due if nothing is queued, but the worker gets nothing more', () => {
    const lookahead = new Lookahead(1)
    lookahead.begin(100)
    expect(lookahead.isRecallDue(1, 110, false, somebody)).toBe(false)
    expect(lookahead.stuck).toBe(true)
    expect(lookahead.space(1, 0)).toBe(0)
  })

  it('is not due while a thread is free', () => {
    const lookahead = new Lookahead(2)
    lookahead.begin(100)
    expect(lookahead.isRecallDue(1, 1000, false, somebody)).toBe(false)
    expect(lookahead.stuck).toBe(false)
  })

  it('is due at once while too much memory is held, every 20 ms', () => {
    const lookahead = new Lookahead(1)
    lookahead.begin(100)
    expect(lookahead.isRecallDue(2, 101, true, nobody)).toBe(true)
    lookahead.recalled(101)
    expect(lookahead.isRecallDue(2, 102, true, nobody)).toBe(false)
    expect(lookahead.isRecallDue(2, 122, true, nobody)).toBe(true)
    expect(lookahead.isRecallDue(1, 200, true, nobody)).toBe(false)
  })
})
