import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Inheritance, takeInheritance, writeInheritance } from './inheritance.ts'
import { startCommand } from './start-command.ts'

let server: Server
let fd = -1

beforeAll(async () => {
  server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  fd = (server as unknown as { _handle: { fd: number } })._handle.fd
})

afterAll(() => server.close())

/** What is taken from an environment that has this inheritance. */
function taken(changes: Partial<Inheritance> & Record<string, unknown>): Inheritance | null {
  const whole = { pid: process.ppid, channel: fd, listeners: [], ...changes }
  const env: Record<string, string | undefined> = { MONOCEROS_UPGRADE: writeInheritance(whole) }
  const inheritance = takeInheritance(env)
  expect(env).toEqual({})
  return inheritance
}

test('what the parent hands over is taken from the environment, also by another version', () => {
  const address = { kind: 'tcp', host: '127.0.0.1', port: 80 } as const
  const listeners = [{ fd, requested: 'localhost:80', address }]
  expect(taken({ listeners, later: 'unknown' })).toMatchObject({ pid: process.ppid, listeners })
})

test('the variable means nothing to a process that inherited it from somewhere else', () => {
  expect(takeInheritance({})).toBeNull()
  // Another process that runs.
  expect(taken({ pid: process.pid })).toBeNull()
  // Descriptors that are no sockets, or not open.
  expect(taken({ channel: 100_000 })).toBeNull()
  const env = { MONOCEROS_UPGRADE: 'nonsense' }
  expect(takeInheritance(env)).toBeNull()
})

test('the command is that of this process, with a name that can be run', () => {
  const { program, args, cwd, env } = startCommand('/srv/site')
  expect(program === process.execPath || program === process.argv0).toBe(true)
  expect(args).toEqual([...process.execArgv, ...process.argv.slice(1)])
  expect(cwd).toBe('/srv/site')
  expect(env).toEqual(process.env)
  expect(env).not.toBe(process.env)
})
