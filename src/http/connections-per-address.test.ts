import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { ConnectionsPerAddress } from './connections-per-address.ts'

const from = (remoteAddress: string | undefined): Socket =>
  Object.assign(new EventEmitter(), { remoteAddress }) as unknown as Socket

it('admits as many as allowed, and another one when one has gone', () => {
  const connections = new ConnectionsPerAddress(2, () => false)
  const sockets = [1, 2, 3].map(() => from('192.0.2.7'))
  expect(sockets.map((socket) => connections.admit(socket))).toEqual([true, true, false])
  expect(connections.admit(from('192.0.2.8'))).toBe(true)
  sockets[2]!.emit('close')
  expect(connections.admit(from('192.0.2.7'))).toBe(false)
  sockets[0]!.emit('close')
  expect(connections.admit(from('192.0.2.7'))).toBe(true)
})

it('counts a /64 network as one, and an IPv4 address in any form', () => {
  const connections = new ConnectionsPerAddress(1, () => false)
  expect(connections.admit(from('2001:db8:0:1::1'))).toBe(true)
  expect(connections.admit(from('2001:db8:0:1:ffff::2'))).toBe(false)
  expect(connections.admit(from('2001:db8:0:2::1'))).toBe(true)
  expect(connections.admit(from('::ffff:192.0.2.7'))).toBe(true)
  expect(connections.admit(from('192.0.2.7'))).toBe(false)
})

it('does not count proxies and unix sockets', () => {
  const connections = new ConnectionsPerAddress(1, (address) => address === '10.0.0.1')
  for (let i = 0; i < 3; i++) {
    expect(connections.admit(from('10.0.0.1'))).toBe(true)
    expect(connections.admit(from(undefined))).toBe(true)
  }
  expect(connections.size).toBe(0)
})

it('forgets addresses without connections', () => {
  const connections = new ConnectionsPerAddress(10, () => false)
  const sockets = Array.from({ length: 5000 }, (_, i) => from(`10.0.${i >> 8}.${i & 255}`))
  for (const socket of sockets) expect(connections.admit(socket)).toBe(true)
  expect(connections.size).toBe(5000)
  for (const socket of sockets) socket.emit('close')
  expect(connections.size).toBe(0)
})
