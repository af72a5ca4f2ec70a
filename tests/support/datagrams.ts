import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

/** A socket that keeps the datagrams that arrive, such as a syslog or StatsD daemon has one. */
export interface DatagramReceiver {
  /** `127.0.0.1:PORT` */
  readonly address: string
  readonly received: readonly string[]
}

/** Receives datagrams at a free UDP port until the test is over. */
export async function receiveDatagrams(): Promise<DatagramReceiver> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 })
  const received: string[] = []
  socket.on('message', (message) => received.push(message.toString('latin1')))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  onTestFinished(async () => {
    socket.close()
    await once(socket, 'close')
  })
  return { address: `127.0.0.1:${socket.address().port}`, received }
}
