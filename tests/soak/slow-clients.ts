import { setTimeout as sleep } from 'node:timers/promises'
import { get } from '../support/plain-application.ts'
import { RawConnection, type Target } from '../support/raw-client.ts'

export interface SlowClients {
  /** Cuts all of them off, and resolves when they have noticed. */
  leave(): Promise<void>
  /** How many the server has closed, or answered with an error. */
  dropped(): number
}

/**
 * Clients in three parts: one drips its header, a byte a second; one drips its body, a byte a
 * second; one asks for 50 MB and reads a kilobyte a second. Resolves when the server has had
 * something of each.
 */
export async function startSlowClients(target: Target, count: number): Promise<SlowClients> {
  const connections: RawConnection[] = []
  const running: Promise<void>[] = []
  let leaving = false
  let dropped = 0

  for (let n = 0; n < count; n++) {
    const connection = await RawConnection.open(target)
    // A server that serves nobody lets them wait for longer than anybody looks.
    connection.timeout = 3_600_000
    connections.push(connection)
    connection.socket.on('close', () => {
      if (!leaving) dropped++
    })
    if (n % 3 === 0) {
      running.push(connection.drip(get(`/${'x'.repeat(4000)}`), 1_000))
    } else if (n % 3 === 1) {
      await connection.send('POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 4000\r\n\r\n')
      running.push(connection.drip('y'.repeat(4000), 1_000))
    } else {
      await connection.send(get('/download?size=50000000'))
      running.push(readSlowly(connection, () => leaving))
    }
  }
  return {
    dropped: () => dropped,
    leave: async () => {
      leaving = true
      for (const connection of connections) connection.reset()
      await Promise.allSettled(running)
    },
  }
}

async function readSlowly(connection: RawConnection, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const part = await connection.readSome(1024)
    if (part.length === 0) return
    await sleep(1_000)
  }
}
