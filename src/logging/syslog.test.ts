import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Syslog } from './syslog.ts'
import { parseSyslogAddress } from './syslog-address.ts'

const options = { facility: 'daemon', tag: 'gunicorn.a.error', python: null, chdir: '/' } as const

async function receiver(where: { port: number; host: string } | { path: string }) {
  let text = ''
  const server: Server = createServer((socket) => {
    socket.on('data', (data) => {
      text += data
    })
  })
  server.listen(where)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { server, text: () => text }
}

test('over TCP, each message is a line, whatever it has in it', async () => {
  const { server, text } = await receiver({ port: 0, host: '127.0.0.1' })
  const { port } = server.address() as { port: number }
  const syslog = new Syslog({ ...options, address: parseSyslogAddress(`tcp://127.0.0.1:${port}`)! })
  syslog.log('warning', 'one\ntwo', 4711)
  syslog.log('info', 'caf\u00e9', 4711)
  await syslog.close()
  await vi.waitFor(() => expect(text()).toContain('caf'), 25_000)
  expect(text()).toBe(
    '<28>gunicorn.a.error: [4711] one#012two\n<30>gunicorn.a.error: [4711] caf\u00e9\n',
  )
})

test('over a unix stream, a message ends with a zero byte', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'monoceros-syslog-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'log.sock')
  const { text } = await receiver({ path })
  const syslog = new Syslog({ ...options, address: parseSyslogAddress(`unix://${path}`)! })
  syslog.log('critical', 'one\ntwo', 1)
  await syslog.close()
  await vi.waitFor(() => expect(text()).toBe('<26>gunicorn.a.error: [1] one\ntwo\0'), 25_000)
})

test('a daemon that is not there is told of once, and holds up nothing', async () => {
  const told: string[] = []
  const address = parseSyslogAddress('unix:///nonexistent/log#stream')!
  const syslog = new Syslog({ ...options, address }, (text) => told.push(text))
  for (let i = 0; i < 1000; i++) syslog.log('info', 'x'.repeat(10_000))
  await vi.waitFor(() => expect(told).toHaveLength(1), 25_000)
  expect(told[0]).toMatch(/^Cannot write to syslog: .*\/nonexistent\/log.* \[MONO8004\]$/)
  const began = performance.now()
  await syslog.close()
  expect(performance.now() - began).toBeLessThan(10_000)
})
