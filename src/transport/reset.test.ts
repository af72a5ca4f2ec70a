import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { reset } from './reset.ts'

/** More than a socket takes at once: some of it is unsent when the connection ends. */
const MUCH = Buffer.alloc(20_000_000)
/** A client of Node's that has something left to read takes a reset for the end. */
const LITTLE = Buffer.alloc(10)

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'monoceros-reset-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** How the connection of `client` ends: its error code, or 'end'. */
function endOf(client: Socket): Promise<string> {
  onTestFinished(() => void client.destroy())
  client.resume()
  return new Promise((resolve) => {
    client.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    client.on('end', () => resolve('end'))
  })
}

async function listen(server: Server, where: object): Promise<void> {
  onTestFinished(() => void server.close())
  server.listen(where)
  await once(server, 'listening')
}

/** Sends something, and resets the connection when the client sends something. */
function sendAndReset(bytes: Buffer): (socket: Socket) => void {
  return (socket) => {
    socket.on('error', () => {})
    socket.write(bytes)
    socket.once('data', () => reset(socket))
  }
}

describe('a reset', () => {
  it('is seen by the client on TCP', async () => {
    const server = createServer(sendAndReset(LITTLE))
    await listen(server, { port: 0, host: '127.0.0.1' })
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    client.once('data', () => client.write('x'))
    expect(await endOf(client)).toBe('ECONNRESET')
  })

  it('closes a unix socket at once, which has no reset', async () => {
    const path = join(folder(), 'socket')
    const server = createServer(sendAndReset(MUCH))
    await listen(server, { path })
    const client = connect(path)
    client.write('x')
    let received = 0
    client.on('data', (chunk) => {
      received += chunk.length
    })
    expect(await endOf(client)).toBe('end')
    expect(received).toBeLessThan(MUCH.length)
  })

  it.skipIf(!hasOpenssl())('is seen by the client below TLS', async () => {
    const server = tls.createServer(selfSigned(), sendAndReset(LITTLE))
    await listen(server, { port: 0, host: '127.0.0.1' })
    const { port } = server.address() as AddressInfo
    const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
    client.once('data', () => client.write('x'))
    expect(await endOf(client)).toBe('ECONNRESET')
  })
})

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function selfSigned(): { key: Buffer; cert: Buffer } {
  const path = folder()
  const [key, cert] = [join(path, 'key.pem'), join(path, 'cert.pem')]
  const curve = 'ec_paramgen_curve:prime256v1'
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', curve, '-nodes', '-days', '1'],
      ...['-keyout', key, '-out', cert, '-subj', '/CN=localhost'],
    ],
    { stdio: 'ignore' },
  )
  return { key: readFileSync(key), cert: readFileSync(cert) }
}
