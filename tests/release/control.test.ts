import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { isAlive, waitUntilGone } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { runCommand, startServer } from '../support/server.ts'
import { waitFor } from '../support/wait-for.ts'

// `monoceros ctl` while a server changes: it loads, is upgraded, or moves its control socket. The
// rest is in tests/e2e/control.test.ts.

const APPLICATION = `import os, time

while os.path.exists("hold"):
    time.sleep(0.02)

kept = []

def app(environ, start_response):
    if environ["PATH_INFO"] == "/grow":
        kept.append(bytearray(400_000_000))
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]
`

/** A folder with the application, a runtime folder of its own, and `monoceros ctl` in it. */
function site() {
  const { path, remove } = temporaryDirectory()
  onTestFinished(remove)
  writeFileSync(join(path, 'shop.py'), APPLICATION)
  const env = { MONOCEROS_RUNTIME_DIR: join(path, 'run') }
  const ctl = (...args: string[]) =>
    runCommand(['ctl', ...args], { env, cwd: path, timeout: 60_000 })
  const start = (args: string[]) => startServer({ app: 'shop:app', args, env, cwd: path })
  return { path, ctl, start, hold: join(path, 'hold') }
}

test.skipIf(!hasPython())('a server that loads says so, and can be stopped', async () => {
  const { path, ctl, start, hold } = site()
  writeFileSync(hold, '')
  const starting = start(['--pid', 'shop.pid'])
  const failed = expect(starting).rejects.toThrow(/before it was up/)
  const status = await waitFor('an answer', async () => {
    const answer = await ctl('status')
    return answer.code === 0 && answer
  })
  expect(status.stdout).toMatch(/^shop:app is starting /)
  const workers = await ctl('workers', '--pid-file', join(path, 'shop.pid'))
  expect(workers.stdout).toMatch(/^Acceptor \d+: no answer, because it is still starting\n$/)
  for (const [words, line] of [
    [['drain'], 'The server is starting'],
    [['scale', '3'], 'The server is starting'],
  ] as const) {
    const refused = await ctl(...words)
    expect([refused.code, refused.stderr]).toEqual([5, `monoceros ctl: ${line} [MONO6010]\n`])
  }
  expect((await ctl('stop')).code).toBe(0)
  await failed
  expect((await ctl('status')).code).toBe(3)
})

test.skipIf(!hasPython())(
  'over an upgrade, each of the two servers answers for itself',
  async () => {
    const { path, ctl, start } = site()
    const socket = join(path, 'ctl.sock')
    const server = await start(['--control-socket', socket, '--pid', join(path, 'shop.pid')])
    const pidOf = async (...args: string[]) =>
      JSON.parse((await ctl(...args, 'status', '--json')).stdout).pid as number
    const at = ['--control-socket', socket]
    expect(await pidOf(...at)).toBe(server.pid)
    server.signal('SIGUSR2')
    const [, text] = await server.waitForLog(/The new server \((\d+)\) serves too/)
    const next = Number(text)
    onTestFinished(async () => {
      if (isAlive(next)) process.kill(next, 'SIGTERM')
      await waitUntilGone(next)
    })
    // The path is that of the one that was there first.
    expect(await pidOf(...at)).toBe(server.pid)
    expect(await pidOf('--control-socket', `${socket}.2`)).toBe(next)
    // By the pid file, only a socket in the usual place is found.
    const other = await ctl('--pid-file', join(path, 'shop.pid.2'), 'status')
    expect([other.code, other.stderr]).toEqual([3, expect.stringContaining('--control-socket')])
    expect((await ctl(...at, 'stop')).code).toBe(0)
    await waitFor('the path to be that of the new one', async () => {
      const { code, stdout } = await ctl(...at, 'status', '--json')
      return code === 0 && JSON.parse(stdout).pid === next
    })
    await waitFor('the other one to be gone', () => !existsSync(`${socket}.2`))
    expect((await ctl(...at, 'stop')).code).toBe(0)
    await waitUntilGone(next)
    expect(existsSync(socket)).toBe(false)
  },
)

test.skipIf(!hasPython())('a reload that changes control_socket moves it', async () => {
  const { path, ctl, start } = site()
  const config = join(path, 'shop.conf.mjs')
  const [first, second] = [join(path, 'first.sock'), join(path, 'second.sock')]
  const configure = (controlSocket: string) =>
    writeFileSync(config, `export default ${JSON.stringify({ controlSocket })}\n`)
  configure(first)
  const server = await start(['--config', config])
  const reload = async (socket: string) => (await ctl('--control-socket', socket, 'reload')).code
  expect((await ctl('--control-socket', first, 'status')).code).toBe(0)
  configure(second)
  // The answer comes on the connection that was made before.
  expect(await reload(first)).toBe(0)
  await waitFor('the other path', async () => {
    return (await ctl('--control-socket', second, 'status')).code === 0
  })
  expect((await ctl('--control-socket', first, 'status')).code).toBe(3)
  expect(existsSync(first)).toBe(false)
  expect(await reload(second)).toBe(0)
  await server.stop()
  expect(existsSync(second)).toBe(false)
})

test.skipIf(!hasPython())(
  'a log that was rotated goes on in a new file, and loses no line',
  async () => {
    const { path, ctl, start } = site()
    const access = join(path, 'access.log')
    const format = ['--access-logfile', access, '--access-logformat', '%(q)s']
    const server = await start([...format, '--workers', '2'])
    let asked = 0
    const ask = async (count: number) => {
      for (let i = 0; i < count; i++) await (await fetch(`${server.url}/?${asked++}`)).text()
    }
    await ask(20)
    renameSync(access, `${access}.1`)
    // Until then, they go into the file that was renamed.
    await ask(20)
    expect((await ctl('reopen')).code).toBe(0)
    await waitFor('the new file', () => existsSync(access))
    await ask(20)
    await server.stop()
    const linesOf = (file: string) => readFileSync(file, 'utf8').trim().split('\n')
    const [before, after] = [linesOf(`${access}.1`), linesOf(access)]
    expect([...before, ...after]).toEqual(Array.from({ length: 60 }, (_, i) => String(i)))
    expect(before.length).toBeGreaterThanOrEqual(40)
    expect(after.length).toBeGreaterThan(0)
  },
)

test.skipIf(!hasPython())(
  'a worker without memory says so, and one that is killed for it too',
  async () => {
    const { ctl, start } = site()
    const server = await start([])
    const [worker] = server.workers()
    execFileSync('prlimit', ['--pid', String(worker), '--as=300000000'])
    expect((await fetch(`${server.url}/grow`)).status).toBe(500)
    await waitFor('its traceback', async () => (await ctl('errors')).stdout.includes('MemoryError'))
    expect(await (await fetch(server.url)).text()).toBe('hello')
    expect(server.workers()).toEqual([worker])
    // The kernel ends a process that has taken too much of the machine's memory with this signal.
    process.kill(worker!, 'SIGKILL')
    await waitFor('the restart', async () =>
      /worker +\d+ +crashed +killed by SIGKILL/.test((await ctl('restarts')).stdout),
    )
    expect((await ctl('errors')).stdout).toContain('killed by SIGKILL (perhaps out of memory)')
    await waitFor('another worker', () => server.workers().some((pid) => pid !== worker))
    expect(await (await fetch(server.url)).text()).toBe('hello')
  },
)
