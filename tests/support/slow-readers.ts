import { expect } from 'vitest'
import { get, startPlain } from './plain-application.ts'
import { RawConnection } from './raw-client.ts'

/** Has eight clients not read what `write()` sends to them, and another one get its answers. */
export async function eightThatDoNotRead(args: readonly string[]): Promise<void> {
  const server = await startPlain({ args: [...args, '--timeout', '5'] })
  const readers = await Promise.all(Array.from({ length: 8 }, () => RawConnection.open(server)))
  for (const reader of readers) await reader.send(get('/written?size=12000000'))
  const innocent = await RawConnection.open(server)
  innocent.timeout = 60_000
  for (let n = 0; n < 5; n++) expect((await innocent.request(get('/'))).status).toBe(200)
  expect(server.log()).not.toMatch(/Answering 503|answered 503|with 503/)
  const { body } = await readers[0]!.readResponse()
  expect(body.equals(Buffer.alloc(12_000_000, 'v'))).toBe(true)
}
