import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Deadlined, Deadlines } from '../deadlines.ts'
import { ALLOWANCE, RecordWatch } from './record-watch.ts'

/** A connection that has read so much. */
class Connection extends EventEmitter {
  readonly _handle = { _parent: { bytesRead: 0 } }
  bytesRead = 0
  readonly remoteAddress = '192.0.2.1'
  destroyed = false

  /** It reads records with that much data, and so much that carries it. */
  read(data: number, carrier: number): void {
    this.bytesRead += data
    this._handle._parent.bytesRead += data + carrier
  }

  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}

/** Deadlines that are looked at by hand. */
class Sweeps extends Deadlines {
  readonly members = new Set<Deadlined>()

  override add(member: Deadlined): void {
    this.members.add(member)
  }

  override delete(member: Deadlined): void {
    this.members.delete(member)
  }
}

function watch() {
  const closed: string[] = []
  const deadlines = new Sweeps()
  const records = new RecordWatch((address) => closed.push(address))
  let now = 0
  return {
    closed,
    deadlines,
    records,
    add() {
      const connection = new Connection()
      records.add(connection as unknown as Socket, deadlines)
      return connection
    },
    secondPasses() {
      now += 1000
      for (const member of deadlines.members) member.checkDeadlines(now)
    },
  }
}

describe('records without data', () => {
  it('close the connection, and no other', () => {
    const { add, secondPasses, closed } = watch()
    const [attacker, other] = [add(), add()]
    attacker.read(0, ALLOWANCE)
    secondPasses()
    expect(attacker.destroyed).toBe(false)
    attacker.read(0, 1)
    secondPasses()
    expect([attacker.destroyed, other.destroyed, closed]).toEqual([true, false, ['192.0.2.1']])
  })

  it('are not made up for by data of long ago', () => {
    const { add, secondPasses } = watch()
    const connection = add()
    connection.read(1e9, 1e6)
    secondPasses()
    connection.read(0, ALLOWANCE + 1)
    secondPasses()
    expect(connection.destroyed).toBe(true)
  })

  it('may be few for as long as the client likes, if there is data too', () => {
    const { add, secondPasses } = watch()
    const connection = add()
    for (let i = 0; i < 1000; i++) {
      connection.read(1000, ALLOWANCE / 4)
      secondPasses()
      connection.read(1000, 0)
      secondPasses()
    }
    expect(connection.destroyed).toBe(false)
  })

  it('are not those of a client that sends a byte in each', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1e6), { maxLength: 50 }), (bytes) => {
        const { add, secondPasses } = watch()
        const connection = add()
        connection.read(0, 6000)
        for (const count of bytes) {
          // The longest record for a byte: TLS 1.2 with CBC and SHA-384.
          connection.read(count, count * 85)
          secondPasses()
        }
        expect(connection.destroyed).toBe(false)
      }),
    )
  })

  it('are looked at once a second, and connections that are gone are forgotten', () => {
    const { add, deadlines, records } = watch()
    const [one, two] = [add(), add()]
    one.read(0, ALLOWANCE + 1)
    for (const member of deadlines.members) member.checkDeadlines(1000)
    expect([one.destroyed, records.size]).toEqual([true, 1])
    two.read(0, ALLOWANCE + 1)
    for (const member of deadlines.members) member.checkDeadlines(1500)
    expect(two.destroyed).toBe(false)
    two.destroy()
    expect([records.size, deadlines.members.size]).toEqual([0, 0])
  })
})
