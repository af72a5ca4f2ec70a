import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { receiveNotifications } from '../support/notify-receiver.ts'
import { hasPython, runPython, testPython } from '../support/python.ts'
import { type RunningServer, runServer } from '../support/running-server.ts'
import { within } from '../support/wait-for.ts'

/** Opens sockets and becomes the command, as systemd does. */
const ACTIVATE = `
import os, socket, sys
listeners = []
for family, address in (
    (socket.AF_INET, ("127.0.0.1", 0)),
    (socket.AF_INET6, ("::1", 0)),
    (socket.AF_UNIX, sys.argv[1]),
    (socket.AF_UNIX, "\\0" + sys.argv[1]),
):
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()
    listeners.append(os.dup2(listener.fileno(), 60 + len(listeners)))
for index, number in enumerate(listeners):
    os.dup2(number, 3 + index, inheritable=True)
    os.set_inheritable(number, False)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="4", LISTEN_FDNAMES="a:b:c:d")
os.execvp(sys.argv[2], sys.argv[2:])
`

/** Asks over the abstract socket of that name. */
const GET = `
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect("\\0" + sys.argv[1])
client.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
print(b"".join(iter(lambda: client.recv(65536), b"")).decode())
`

function startActivated(
  folder: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<RunningServer> {
  const command = [process.execPath, commandPath, ...args]
  return runServer({
    command: testPython().executable,
    args: ['-c', ACTIVATE, join(folder, 'given.sock'), ...command],
    env: { ...process.env, VIRTUAL_ENV: testPython().prefix, NODE_OPTIONS: undefined, ...env },
    cwd: folder,
    findAddresses: (log) => [...log.matchAll(/Listening at (\S+)/g)].map((match) => match[1] ?? ''),
    isReady: (log) => /Listening at unix:@\S+.*\n/.test(log),
    isWorker: (line) => line.includes('monoceros-worker'),
  })
}

function folderWithApplication(): string {
  const folder = temporaryDirectory()
  onTestFinished(folder.remove)
  writeFileSync(
    join(folder.path, 'app.py'),
    `import os

seen = [name for name in os.environ if name.startswith("LISTEN_")]

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("at %s, sees %s" % (environ["SERVER_PORT"] or "-", seen)).encode()]
`,
  )
  return folder.path
}

function getOver(socketPath: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path: '/' }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => resolve(text))
    })
      .on('error', reject)
      .end()
  })
}

const linux = process.platform === 'linux'

describe.skipIf(!linux || !hasPython())('with systemd', () => {
  test('its sockets are served, of every kind, and nothing else; readiness is told from the main process', async () => {
    const folder = folderWithApplication()
    const notify = join(folder, 'notify')
    const systemd = await receiveNotifications(notify)
    const server = await startActivated(folder, ['--bind', '127.0.0.1:1', 'app:app'], {
      NOTIFY_SOCKET: notify,
      WATCHDOG_USEC: '500000',
    })

    expect(server.log()).toMatch(
      /Listening on 4 sockets from systemd \(a, b, c, d\), not at 127\.0\.0\.1:1 \(bind\)/,
    )
    const [ipv4, ipv6] = server.addresses
    for (const url of [ipv4!, ipv6!]) {
      const port = new URL(url).port
      expect(await (await fetch(url)).text()).toBe(`at ${port}, sees []`)
    }
    const path = join(folder, 'given.sock')
    expect(await getOver(path)).toMatch(/sees \[\]$/)
    // The oldest Node.js pads such a name with zero bytes.
    expect(runPython(GET, path)).toMatch(/sees \[\]\s*$/)

    const ready = await systemd.waitFor(/^READY=1\nSTATUS=Serving app:app with 1 worker\n/)
    expect(ready.pid).toBe(server.pid)
    await systemd.waitFor(/^WATCHDOG=1$/)

    let from = systemd.received.length
    server.signal('SIGHUP')
    const reloading = await systemd.waitFor(/^RELOADING=1\nMONOTONIC_USEC=\d+\n/, from)
    const began = Number(/MONOTONIC_USEC=(\d+)/.exec(reloading.text)?.[1])
    expect(began).toBeLessThanOrEqual(Number(process.hrtime.bigint() / 1000n))
    await systemd.waitFor(/^READY=1\n/, from)

    // A reload that fails leaves the service ready, and says why.
    writeFileSync(join(folder, 'app.py'), 'raise RuntimeError("broken on purpose")\n')
    from = systemd.received.length
    server.signal('SIGHUP')
    await systemd.waitFor(/^READY=1\nSTATUS=A reload failed/, from)
    expect(await (await fetch(ipv4!)).text()).toMatch(/^at/)

    server.signal('SIGTERM')
    const stopping = await systemd.waitFor(/^STOPPING=1\n/)
    expect(stopping.pid).toBe(server.pid)
    expect((await within('the server to end', 20_000, server.exited)).code).toBe(0)
    // Another server may be started with the same sockets.
    await expect(getOver(path)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('sockets survive an upgrade (USR2), and MAINPID names the new process', async () => {
    const folder = folderWithApplication()
    const notify = join(folder, 'notify')
    const systemd = await receiveNotifications(notify)
    const server = await startActivated(folder, ['app:app'], { NOTIFY_SOCKET: notify })
    server.signal('SIGUSR2')
    const main = await systemd.waitFor(/^MAINPID=\d+\n/)
    expect(main.pid).toBe(server.pid)
    const next = Number(/\d+/.exec(main.text)?.[0])
    expect(next).not.toBe(server.pid)
    server.signal('SIGTERM')
    await within('the old server to end', 20_000, server.exited)
    expect(await (await fetch(server.addresses[0]!)).text()).toMatch(/^at \d+, sees \[\]$/)
    expect(systemd.received.some(({ text }) => text.includes('STOPPING'))).toBe(false)
    process.kill(next, 'SIGTERM')
    expect((await systemd.waitFor(/^STOPPING=1\n/)).pid).toBe(next)
    // Fails if a process is left.
    await server.stop()
  })
})
