import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { type Answer, getFrom } from '../support/from-address.ts'
import { hasPython } from '../support/python.ts'
import { type RunningServer, startServer } from '../support/server.ts'
import { testCertificate } from '../support/test-certificate.ts'
import { waitFor } from '../support/wait-for.ts'

// One client must not take what is there for all. Only 127.0.0.1 is a trusted proxy by default, so
// the other addresses of the loopback interface are strangers.

async function statuses(count: number, ask: () => Promise<Answer>): Promise<number[]> {
  const answers = []
  for (let i = 0; i < count; i++) answers.push((await ask()).status)
  return answers
}

const times = (count: number, status: number): number[] => new Array(count).fill(status)

describe.skipIf(!hasPython())('with one acceptor', () => {
  const folder = temporaryDirectory()
  let server: RunningServer
  beforeAll(async () => {
    const limits = ['--limit-connections-per-address', '5', '--rate-limit', '30/h,1000/s']
    const exempt = ['--rate-limit-exempt', '127.0.0.4', '--security-headers']
    const binds = ['--bind', '127.0.0.1:0', '--bind', 'tls:127.0.0.1:0']
    writeFileSync(join(folder.path, 'pem'), testCertificate.cert + testCertificate.key)
    const certificate = ['--certfile', join(folder.path, 'pem')]
    const proxies = ['--forwarded-headers', 'legacy']
    const args = [...limits, ...exempt, ...binds, ...certificate, ...proxies]
    server = await startServer({ app: 'flask_app:app', args, cwd: appsDirectory })
  })
  afterAll(async () => {
    await server?.stop()
    folder.remove()
  })

  test('an address has as many connections as allowed, whatever others do', async () => {
    const sockets: Socket[] = []
    const open = (localAddress: string) => {
      const socket = connect({ host: '127.0.0.1', port: server.port, localAddress })
      socket.on('error', () => {})
      sockets.push(socket)
      return new Promise<string>((resolve) => {
        socket.once('data', (data: Buffer) => resolve(data.toString('latin1')))
        socket.once('close', () => resolve('closed'))
        socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      })
    }
    try {
      const answers = await Promise.all(Array.from({ length: 100 }, () => open('127.0.0.2')))
      expect(answers.filter((answer) => answer.startsWith('HTTP/1.1 200'))).toHaveLength(5)
      expect(await open('127.0.0.3')).toMatch(/^HTTP\/1.1 200/)
      expect(await server.waitForLog(/its address has 5 already.*\[MONO4036\]/)).toBeTruthy()
      for (const socket of sockets) socket.destroy()
      await waitFor('a place for the address', async () =>
        (await open('127.0.0.2')).startsWith('HTTP/1.1 200'),
      )
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })

  test('a place over TLS is free again when the connection is closed', async () => {
    const secure = server.addresses.find((address) => address.startsWith('https://'))!
    const open = () => {
      const options = { host: '127.0.0.1', port: Number(new URL(secure).port) }
      const local = { localAddress: '127.0.0.9', rejectUnauthorized: false }
      const socket = connectTls({ ...options, ...local })
      return new Promise<TLSSocket | null>((resolve) => {
        socket.once('secureConnect', () => resolve(socket))
        socket.once('error', () => resolve(null))
        socket.once('close', () => resolve(null))
      })
    }
    for (let round = 0; round < 3; round++) {
      const accepted: TLSSocket[] = []
      await waitFor('all places', async () => {
        const socket = await open()
        if (socket !== null) accepted.push(socket)
        return accepted.length === 5
      })
      expect(await open()).toBeNull()
      for (const socket of accepted) socket.destroy()
    }
  })

  test('a trusted proxy has as many as it likes', async () => {
    const sockets = Array.from({ length: 20 }, () => connect(server.port, '127.0.0.1'))
    try {
      const begun = sockets.map(
        (socket) => new Promise<string>((resolve) => socket.once('data', (d) => resolve(`${d}`))),
      )
      for (const socket of sockets) socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      for (const answer of await Promise.all(begun)) expect(answer).toMatch(/^HTTP\/1.1 [24]/)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
  })

  test('an address over the rate limit gets 429, and others do not', async () => {
    expect(await statuses(35, () => getFrom('127.0.0.5', server))).toEqual([
      ...times(30, 200),
      ...times(5, 429),
    ])
    const { headers } = await getFrom('127.0.0.5', server)
    expect(headers['ratelimit-policy']).toBe('"30/h";q=30;w=3600, "1000/s";q=1000;w=1')
    const [, wait] = /^"30\/h";r=0;t=([0-9]+)$/.exec(String(headers.ratelimit)) ?? []
    expect(headers['retry-after']).toBe(wait)
    expect(Number(wait)).toBeLessThanOrEqual(120)
    expect((await getFrom('127.0.0.6', server)).status).toBe(200)
    // It cannot take the name of another.
    for (const name of ['X-Forwarded-For', 'X-Real-IP', 'Client-IP', 'True-Client-IP'])
      expect((await getFrom('127.0.0.5', server, { [name]: '203.0.113.9' })).status).toBe(429)
    expect((await getFrom('127.0.0.5', server, { Forwarded: 'for=203.0.113.9' })).status).toBe(429)
  })

  test('behind a trusted proxy, the client is the one that it names', async () => {
    const ask = (client: string) => () =>
      getFrom('127.0.0.1', server, { 'X-Forwarded-For': `127.0.0.6, ${client}` })
    expect(await statuses(32, ask('203.0.113.1'))).toEqual([...times(30, 200), ...times(2, 429)])
    expect(await statuses(1, ask('203.0.113.2'))).toEqual([200])
    expect(await statuses(32, ask('2001:db8::1'))).toEqual([...times(30, 200), ...times(2, 429)])
    expect(await statuses(2, ask('2001:db8::ffff:2'))).toEqual([429, 429])
    expect(await statuses(1, ask('2001:db8:0:1::1'))).toEqual([200])
  })

  test('an exempt address has no rate limit', async () => {
    expect(await statuses(40, () => getFrom('127.0.0.4', server))).toEqual(times(40, 200))
  })

  test('all answers have the security headers', async () => {
    for (const [address, status] of [
      ['127.0.0.4', 200],
      ['127.0.0.5', 429],
    ] as const) {
      const answer = await getFrom(address, server)
      expect(answer.status).toBe(status)
      expect(answer.headers).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'strict-origin-when-cross-origin',
        'x-frame-options': 'SAMEORIGIN',
        'cross-origin-opener-policy': 'same-origin-allow-popups',
        'x-permitted-cross-domain-policies': 'none',
      })
    }
  })
})
