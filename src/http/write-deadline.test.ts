import { describe, expect, it } from 'vitest'
import { Deadlines } from './deadlines.ts'
import { type Outlet, WriteDeadline } from './write-deadline.ts'

const TIMEOUTS = { header: 1, body: 1, wholeBody: 1, keepAlive: 1, write: 2 }
const NEVER = Number.POSITIVE_INFINITY

class TestOutlet implements Outlet {
  taken = 1000
  unacknowledged: number | null = null
}

function watched(rate: number) {
  const outlet = new TestOutlet()
  const deadline = new WriteDeadline(new Deadlines(), TIMEOUTS, { body: 0, write: rate }, outlet)
  deadline.watch()
  return { outlet, deadline }
}

describe('the deadline of a response', () => {
  it('is none until something waits for the client, and when it has taken everything', () => {
    const { deadline } = watched(0)
    expect(deadline.at).toBeLessThan(NEVER)
    deadline.clear()
    expect(deadline.at).toBe(NEVER)
  })

  it('is renewed for a client that takes enough', () => {
    const { outlet, deadline } = watched(100)
    outlet.taken += 200
    expect(deadline.passed()).toBeNull()
    expect(deadline.at).toBeLessThan(NEVER)
    outlet.taken += 199
    expect(deadline.passed()).toBe(
      'the client took only 199 bytes of its answer within the write timeout (2 s)',
    )
  })

  it('asks for any progress at all with a rate of 0', () => {
    const { outlet, deadline } = watched(0)
    outlet.taken += 1
    expect(deadline.passed()).toBeNull()
    expect(deadline.passed()).toContain('took nothing of its answer')
  })

  it('gives a second period to a client whose progress only the kernel may see', () => {
    const { outlet, deadline } = watched(100)
    outlet.unacknowledged = 800
    expect(deadline.passed()).toBeNull()
    outlet.unacknowledged = 600
    expect(deadline.passed()).toBeNull()
    outlet.unacknowledged = 401
    expect(deadline.passed()).toContain('took nothing')
  })
})
