import { Duplex } from 'node:stream'
import { connect } from 'node:tls'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serverNameOf } from './server-name.ts'

/** The first record of a client of OpenSSL. */
function firstRecord(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(bytes, _, done) {
        resolve(bytes)
        done()
      },
    })
    connect({ socket: wire, servername }).on('error', () => {})
  })
}

describe('the host that a client asks for', () => {
  it.each(['shop.test', 'A.Shop.Test', `${'a'.repeat(63)}.test`])('%s', async (name) => {
    expect(serverNameOf(await firstRecord(name))).toBe(name)
  })

  it('is null if it names none', async () => {
    expect(serverNameOf(await firstRecord(''))).toBeNull()
  })

  it('is found with more behind the record', async () => {
    const record = await firstRecord('shop.test')
    expect(serverNameOf(Buffer.concat([record, Buffer.from('more')]))).toBe('shop.test')
  })

  it('is unknown if the ClientHello is not whole', async () => {
    const record = await firstRecord('shop.test')
    for (let length = 0; length < record.length; length++)
      expect(serverNameOf(record.subarray(0, length))).toBeUndefined()
    const shorter = Buffer.from(record.subarray(0, 200))
    shorter.writeUInt16BE(195, 3)
    expect(serverNameOf(shorter)).toBeUndefined()
  })

  it('never raises, whatever is changed in a ClientHello', async () => {
    const record = await firstRecord('shop.test')
    const changes = fc.array(fc.tuple(fc.nat(record.length - 1), fc.nat(255)), { maxLength: 5 })
    fc.assert(
      fc.property(changes, (changed) => {
        const bytes = Buffer.from(record)
        for (const [at, value] of changed) bytes[at] = value
        const name = serverNameOf(bytes)
        expect(name == null || name.length < record.length).toBe(true)
      }),
    )
  })
})
