import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { SecureContexts } from '../../transport/tls/secure-contexts.ts'
import { HandshakeGate } from './handshake-gate.ts'
import type { PendingHandshake } from './pending-handshake.ts'

/** A client's handshake that never ends by itself. */
class StalledHandshake {
  isOver = false
  begun = false
  readonly remoteAddress = '192.0.2.1'
  readonly #gate: HandshakeGate

  constructor(gate: HandshakeGate) {
    this.#gate = gate
    gate.ready(this as unknown as PendingHandshake)
  }

  begin(): void {
    this.begun = true
  }

  giveUp(): void {
    this.end()
  }

  end(): void {
    this.isOver = true
    this.#gate.over(this as unknown as PendingHandshake, null)
  }
}

function gate(limit: number) {
  return new HandshakeGate({
    contexts: Object.create(SecureContexts.prototype) as SecureContexts,
    timeout: 10,
    limit,
    plainAnswer: '',
    protocolFor: () => {
      throw new Error('no handshake ends')
    },
    failed: () => {},
    flooded: () => {},
    filled: () => {},
  })
}

test('clients that leave while they wait for their turn are forgotten', async () => {
  const full = gate(2)
  const first = [new StalledHandshake(full), new StalledHandshake(full)]
  expect(first.map(({ begun }) => begun)).toEqual([true, true])
  const waits = new StalledHandshake(full)
  for (let i = 0; i < 5000; i++) {
    new StalledHandshake(full).end()
    if (i % 500 === 0) await nextTurn()
  }
  expect(full.size.begun).toBe(2)
  expect(full.size.waiting).toBeLessThan(200)
  first[0]!.end()
  while (!waits.begun) await nextTurn()
})

/** Has the gate's clock stand until it is moved. */
function clock(): { now: number } {
  const time = { now: 1000 }
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => time.now)
  onTestFinished(() => spy.mockRestore())
  return time
}

test('at the limit, the oldest are given up after a second, for those that came last', async () => {
  const time = clock()
  const full = gate(2)
  const [oldest, second] = [new StalledHandshake(full), new StalledHandshake(full)]
  const [third, last] = [new StalledHandshake(full), new StalledHandshake(full)]
  time.now += 900
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  expect([oldest.isOver, third.begun, last.begun]).toEqual([false, false, false])
  time.now += 200
  while (!third.begun) await nextTurn()
  expect([oldest.isOver, second.isOver, last.begun]).toEqual([true, true, true])
  expect(full.size).toEqual({ begun: 2, waiting: 0 })
})

test('nobody is given up for a client that has left', async () => {
  const time = clock()
  const full = gate(1)
  const first = new StalledHandshake(full)
  const left = new StalledHandshake(full)
  left.end()
  time.now += 5000
  while (full.size.waiting > 0) await nextTurn()
  expect([first.isOver, left.begun]).toEqual([false, false])
})

test('handshakes that take long leave the event loop to others in between', async () => {
  const time = clock()
  const slow = gate(100)
  class SlowHandshake extends StalledHandshake {
    override begin(): void {
      super.begin()
      time.now += 3
    }
  }
  const all = Array.from({ length: 6 }, () => new SlowHandshake(slow))
  const begun = () => all.filter((one) => one.begun).length
  expect(begun()).toBe(2)
  await nextTurn()
  expect(begun()).toBe(4)
  await nextTurn()
  expect(begun()).toBe(6)
})
