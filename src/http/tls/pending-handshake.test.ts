import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { testCertificate } from '../../../tests/support/test-certificate.ts'
import { Span } from '../../bytes/span.ts'
import { MemoryBudget } from '../../spool/memory-budget.ts'
import { SecureContexts } from '../../transport/tls/secure-contexts.ts'
import type { TlsMaterial } from '../../transport/tls/tls-material.ts'
import type { Connection, ConnectionContext } from '../connection.ts'
import { Deadlines } from '../deadlines.ts'
import { IdleConnections } from '../idle-connections.ts'
import { type HandshakeFailure, PendingHandshake } from './pending-handshake.ts'

const KIB = 1024
const HALF = Buffer.concat([Buffer.from([22, 3, 1, 1, 0, 1, 0, 0, 252]), Buffer.alloc(91)])
const REST = Buffer.alloc(161)

function pending({
  clientCertificates = 'none',
  limit = 1024 * KIB,
}: Partial<Pick<TlsMaterial, 'clientCertificates'>> & { limit?: number } = {}) {
  const socket = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
  onTestFinished(() => void socket.destroy())
  const memory = new MemoryBudget(limit)
  const deadlines = new Deadlines()
  const seen = {
    ready: 0,
    closed: 0,
    failures: [] as (HandshakeFailure | null)[],
    turnedAway: [] as string[],
  }
  const context = {
    deadlines,
    memory,
    idle: new IdleConnections<Connection>(deadlines),
    closed: () => seen.closed++,
  } as unknown as ConnectionContext
  const contexts = new SecureContexts({
    pairs: [{ ...testCertificate, names: [] }],
    ca: null,
    clientCertificates,
    ciphers: null,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    ticketKeys: Buffer.alloc(48, 1),
    alpn: ['http/1.1'],
  })
  const handshake = new PendingHandshake(
    socket as unknown as Socket,
    context,
    {
      contexts,
      timeout: 10,
      plainAnswer: 'no TLS',
      protocolFor: () => {
        throw new Error('it does not come so far')
      },
      ready: () => seen.ready++,
      secured: () => {},
      over: (_handshake, failure) => seen.failures.push(failure),
    },
    { secured: () => {}, turnAway: (_socket, answer) => seen.turnedAway.push(answer) },
  )
  onTestFinished(() => handshake.destroy())
  const receive = (bytes: Buffer) => handshake.received(new Span().set(bytes, 0, bytes.length))
  return { handshake, receive, memory, seen, socket, deadlines }
}

describe('what a handshake counts', () => {
  it.each([
    ['none', 80],
    ['optional', 180],
    ['required', 180],
  ] as const)("with clients' certificates: %s", (clientCertificates, kib) => {
    const { handshake, receive, memory, seen } = pending({ clientCertificates })
    expect(memory.held).toBe(0)
    receive(HALF)
    expect([memory.held, seen.ready]).toEqual([HALF.length, 0])
    receive(REST)
    expect([memory.held, seen.ready]).toEqual([HALF.length + REST.length, 1])
    handshake.begin()
    expect(memory.held).toBe(kib * KIB)
    handshake.destroy()
    expect([memory.held, seen.closed]).toEqual([0, 1])
  })
})

describe('a handshake ends, and counts nothing any more', () => {
  it.each([
    ['plain HTTP, which is answered', Buffer.from('GET /'), 'plain', /answered 400/],
    ['what is not TLS', Buffer.alloc(9), 'failed', /not TLS/],
    ['a long ClientHello', Buffer.from([22, 3, 1, 1, 0, 1, 1, 0, 0]), 'failed', /16 KiB/],
  ] as const)('at %s', (_, bytes, kind, reason) => {
    const { receive, memory, seen } = pending()
    receive(bytes)
    expect(seen.failures).toEqual([{ kind, reason: expect.stringMatching(reason) }])
    expect(seen.turnedAway).toEqual(kind === 'plain' ? ['no TLS'] : [])
    expect([memory.held, seen.closed]).toEqual([0, 1])
    receive(HALF)
    expect([memory.held, seen.failures.length]).toEqual([0, 1])
  })

  it('at its deadline', () => {
    const { handshake, receive, memory, seen, deadlines, socket } = pending()
    receive(HALF)
    handshake.checkDeadlines(deadlines.now + 9000)
    expect(seen.failures).toEqual([])
    handshake.checkDeadlines(deadlines.now + 11_000)
    expect(seen.failures).toMatchObject([{ reason: expect.stringContaining('within 10 s') }])
    expect([memory.held, seen.closed, socket.destroyed]).toEqual([0, 1, true])
  })

  it('when its client leaves: one that has said nothing is not worth a line', () => {
    const silent = pending()
    silent.socket.emit('end')
    expect(silent.seen.failures).toEqual([null])
    const { receive, memory, seen, socket } = pending()
    receive(HALF)
    socket.emit('end')
    expect(seen.failures).toMatchObject([{ kind: 'left' }])
    expect(memory.held).toBe(0)
  })

  it('when there is no memory for the rest of its first message', () => {
    const { receive, memory, seen } = pending({ limit: 50 })
    receive(HALF)
    expect(seen.failures).toMatchObject([{ kind: 'overdue' }])
    expect(memory.held).toBe(0)
  })

  it('when it is given up for another', () => {
    const { handshake, receive, memory, seen } = pending()
    receive(Buffer.concat([HALF, REST]))
    handshake.begin()
    handshake.giveUp()
    expect(seen.failures).toMatchObject([{ kind: 'overdue' }])
    expect(memory.held).toBe(0)
  })
})
