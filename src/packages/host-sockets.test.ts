import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTLSServer } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { testCertificate } from '../../tests/support/test-certificate.ts'
import { HostSockets } from './host-sockets.ts'

const servers: Server[] = []
const peers = new Set<Socket>()
const sockets = new HostSockets({})

afterEach(async () => {
  sockets.close()
  for (const peer of peers) peer.destroy()
  await Promise.all(
    servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))),
  )
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket: Socket) => {
    peers.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function plain(serve: (socket: Socket) => void): Promise<number> {
  return listen(createServer(serve))
}

async function call(name: string, args: Record<string, unknown>, data: Uint8Array | null = null) {
  const answer = await sockets.call(name, JSON.stringify({ timeout: 10, ...args }), data)
  return { ...answer.json, data: answer.data } as Record<string, unknown> & {
    data: Uint8Array | null
  }
}

async function open(port: number): Promise<unknown> {
  return (await call('connect', { host: '127.0.0.1', port })).id
}

test('bytes go there and back, in the pieces that are asked for', async () => {
  const port = await plain((socket) => socket.pipe(socket))
  const id = await open(port)
  expect(await call('send', { id }, Buffer.from('hello'))).toEqual({ data: null })
  const first = await call('receive', { id, size: 2 })
  expect(first.count).toBe(2)
  expect(Buffer.from(first.data as Uint8Array).toString()).toBe('he')
  expect((await call('readable', { id })).readable).toBe(true)
  expect(Buffer.from((await call('receive', { id, size: 9 })).data as Uint8Array).toString()).toBe(
    'llo',
  )
  expect((await call('readable', { id })).readable).toBe(false)
})

test('many megabytes arrive whole, though nobody reads at first', async () => {
  const sent = Buffer.alloc(5_000_000, 'abcdefg')
  const id = await open(await plain((socket) => socket.end(sent)))
  const parts: Uint8Array[] = []
  for (;;) {
    const { count, data } = await call('receive', { id, size: 300_000 })
    if (count === 0) break
    parts.push(data as Uint8Array)
  }
  expect(Buffer.concat(parts).equals(sent)).toBe(true)
})

test('what goes wrong has the kind that Python knows', async () => {
  const silent = await plain(() => {})
  const id = await open(silent)
  expect(await call('receive', { id, size: 1, timeout: 0.05 })).toMatchObject({
    error: { kind: 'timeout' },
  })
  const reset = await plain((socket) => socket.once('data', () => socket.resetAndDestroy()))
  const other = await open(reset)
  await call('send', { id: other }, Buffer.from('x'))
  expect(await call('receive', { id: other, size: 1 })).toMatchObject({ error: { kind: 'reset' } })
  const gone = createServer()
  const port = await listen(gone)
  await new Promise((resolve) => servers.pop()?.close(resolve))
  expect(await call('connect', { host: '127.0.0.1', port })).toMatchObject({
    error: { kind: 'refused' },
  })
  expect(await call('connect', { host: 'no-such-host.invalid', port: 80 })).toMatchObject({
    error: { kind: 'name' },
  })
  expect(await call('send', { id: 99 })).toMatchObject({
    error: { message: 'the connection is closed' },
  })
})

test('a certificate is checked, for whom it is and by whom', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  const authorities = join(folder, 'ca.pem')
  writeFileSync(authorities, testCertificate.cert)
  const server = createTLSServer(testCertificate, (socket) => socket.end('secret'))
  server.on('tlsClientError', () => {})
  const port = await listen(server)
  const none = { authorities: null, certificate: null, key: null, password: null, verify: true }
  const encrypt = async (args: Record<string, unknown>) => {
    const id = await open(port)
    return { id, answer: await call('tls', { id, ...none, ...args }) }
  }
  expect((await encrypt({ servername: 'localhost' })).answer).toMatchObject({
    error: { kind: 'certificate', message: expect.stringContaining('self-signed certificate') },
  })
  expect((await encrypt({ servername: 'elsewhere.test', authorities })).answer).toMatchObject({
    error: { kind: 'certificate', message: expect.stringContaining('elsewhere.test') },
  })
  expect((await encrypt({ servername: '127.0.0.1', authorities })).answer).toMatchObject({
    error: { kind: 'certificate' },
  })
  expect(
    (await encrypt({ servername: 'localhost', authorities: join(folder, 'nowhere') })).answer,
  ).toMatchObject({
    error: {
      kind: 'tls',
      message: expect.stringContaining('cannot read the certificate authorities'),
    },
  })
  for (const good of [
    { servername: 'localhost', authorities },
    { servername: 'localhost', authorities: folder },
    { servername: 'elsewhere.test', verify: false },
  ]) {
    const { id, answer } = await encrypt(good)
    expect(answer).toEqual({ data: null })
    expect(
      Buffer.from((await call('receive', { id, size: 100 })).data as Uint8Array).toString(),
    ).toBe('secret')
  }
  rmSync(folder, { recursive: true })
})
