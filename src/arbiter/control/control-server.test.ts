import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { ArbiterActions } from '../actions.ts'
import { ControlServer } from './control-server.ts'

test('a client that sends a thousand requests ahead is asked and answered once', async () => {
  let asked = 0
  const actions = {
    get configuration() {
      asked++
      return { settings: {}, origins: {} }
    },
  } as unknown as ArbiterActions
  const http = new ControlServer(actions, 1)
  const server = createServer((socket) => http.take(socket)).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  onTestFinished(() => void client.destroy())
  client.on('error', () => {}).resume()
  client.write('GET /configuration HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(1000))
  await once(client, 'close')
  expect(asked).toBeLessThanOrEqual(1)
  // One request is answered as ever.
  const other = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let text = ''
  other.on('data', (chunk) => {
    text += chunk
  })
  other.write('GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(other, 'close')
  expect(text).toMatch(/^HTTP\/1\.1 404 /)
})
