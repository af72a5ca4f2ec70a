import { spawn } from 'node:child_process'
import { expect, onTestFinished, test } from 'vitest'
import { isAlive, waitUntilGone } from './processes.ts'
import { runServer, runToEnd } from './running-server.ts'

const listening = `
  const server = require('net').createServer()
  server.listen(0, '127.0.0.1', () => console.log('up at http://127.0.0.1:' + server.address().port))`

/** A "server" of one line of JavaScript. */
const start = (code: string) =>
  runServer({
    command: process.execPath,
    args: ['-e', code],
    env: process.env,
    cwd: undefined,
    findAddresses: (log) => [...log.matchAll(/up at (\S+)/g)].map((match) => match[1] ?? ''),
    isReady: (log) => log.includes('up at'),
    isWorker: (commandLine) => commandLine.includes('setInterval'),
  })

test('a server that ends before it is up is an error with its log', async () => {
  await expect(start('console.error("no luck"); process.exit(3)')).rejects.toThrow(
    /status 3[\s\S]*no luck/,
  )
})

test('stop sends TERM and says how the server ended', async () => {
  const server = await start(`${listening}; process.on('SIGTERM', () => process.exit(7))`)
  expect(await server.stop()).toEqual({ code: 7, signal: null })
  expect(isAlive(server.pid)).toBe(false)
})

test('stop fails when a child process is left behind, and kills it', async () => {
  const child = `setInterval(() => {}, 1000)`
  const server = await start(
    `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], { ` +
      `stdio: 'ignore' });${listening}`,
  )
  const [worker = 0] = server.workers()
  expect(isAlive(worker)).toBe(true)
  await expect(server.stop()).rejects.toThrow(new RegExp(`left: ${worker} `))
  await waitUntilGone(worker)
})

test('only processes of its own are ended', async () => {
  const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  onTestFinished(() => {
    bystander.kill('SIGKILL')
  })
  const server = await start(listening)
  await server.stop()
  expect(isAlive(bystander.pid ?? 0)).toBe(true)
})

test('runToEnd gives the status and both outputs', async () => {
  const result = await runToEnd(
    process.execPath,
    ['-e', 'console.log("out"); console.error("err"); process.exitCode = 2'],
    { env: process.env },
  )
  expect(result).toEqual({ code: 2, signal: null, stdout: 'out\n', stderr: 'err\n' })
})
