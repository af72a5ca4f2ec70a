import { expect, test } from 'vitest'
import { type Snapshot, Sums } from '../../metrics/snapshot.ts'
import { AcceptorCounts } from './acceptor-counts.ts'

const counted = (requests: number): Snapshot => ({
  monoceros_requests_total: [{ labels: ['GET', '2xx', 'a:b'], value: requests }],
  monoceros_queue_requests: [{ labels: [], value: 5 }],
})

function sumOf(counts: AcceptorCounts, except: number[] = []): Snapshot {
  const sums = new Sums()
  counts.addOthers(sums, new Set(except))
  return sums.snapshot()
}

const requests = (counts: AcceptorCounts) => sumOf(counts).monoceros_requests_total?.[0]?.value ?? 0

test('what an acceptor has counted stays when it ends, without its gauges', () => {
  const counts = new AcceptorCounts(() => 1)
  counts.started(11)
  counts.ready(11)
  counts.told(11, counted(3))
  expect(counts.serves(11)).toBe(true)
  expect(sumOf(counts, [11])).toEqual({})
  counts.ended(11)
  expect(counts.serves(11)).toBe(false)
  expect(requests(counts)).toBe(3)
  expect(sumOf(counts).monoceros_queue_requests).toBeUndefined()
})

test('a last message that comes after the end counts', () => {
  const counts = new AcceptorCounts(() => 1)
  counts.started(11)
  counts.told(11, counted(3))
  counts.ended(11)
  counts.told(11, counted(4))
  expect(requests(counts)).toBe(4)
})

test('a number that the system gives out again is another acceptor', () => {
  const counts = new AcceptorCounts(() => 1)
  counts.started(11)
  counts.told(11, counted(3))
  counts.ended(11)
  counts.started(11)
  counts.told(11, counted(1))
  expect(requests(counts)).toBe(4)
})

test('of thousands of acceptors, the sum stays', () => {
  const counts = new AcceptorCounts(() => 1)
  for (let pid = 1; pid <= 5000; pid++) {
    counts.started(pid)
    counts.told(pid, counted(2))
    counts.ended(pid)
    expect(requests(counts)).toBe(2 * pid)
  }
})

test('the delays of an event loop have the slot of their acceptor', () => {
  const counts = new AcceptorCounts((pid) => pid - 10)
  counts.started(13)
  const delays = [{ labels: [], value: { counts: [1, 0], sum: 0.001 } }]
  const named = counts.told(13, { monoceros_event_loop_delay_seconds: delays })
  expect(named.monoceros_event_loop_delay_seconds?.[0]?.labels).toEqual(['3'])
})
