import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import { unacknowledged } from './unacknowledged.ts'

describe.skipIf(process.platform !== 'linux')('what a client has not acknowledged', () => {
  it('falls while it reads, long before its socket can be written to again', async () => {
    const accepted: Socket[] = []
    const server = createServer((socket) => accepted.push(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    onTestFinished(() => {
      client.destroy()
      for (const socket of accepted) socket.destroy()
      server.close()
    })
    const socket = await waitFor('the connection', () => accepted[0])
    socket.write(Buffer.alloc(30_000_000))
    const look = () => unacknowledged(socket.localPort ?? 0, socket.remotePort ?? 0)
    await waitFor('the buffers to be full', () => (look() ?? 0) > 100_000)
    const full = look()!
    const unwritten = socket.writableLength
    let read = 0
    await waitFor('it to fall', () => {
      read += (client.read(64 * 1024) as Buffer | null)?.length ?? 0
      return (look() ?? full) < full || socket.writableLength < unwritten
    })
    expect(read).toBeGreaterThan(0)
  })

  it('is not known of what is no TCP connection', () => {
    expect(unacknowledged(80, 0)).toBeNull()
    expect(unacknowledged(1, 1)).toBeNull()
  })
})
