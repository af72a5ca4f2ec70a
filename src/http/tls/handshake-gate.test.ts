import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
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
