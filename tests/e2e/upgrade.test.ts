import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { temporaryDirectory } from '../support/applications.ts'
import { get, startPlain } from '../support/plain-application.ts'
import { isAlive, waitUntilGone } from '../support/processes.ts'
import { hasPython } from '../support/python.ts'
import { RawConnection } from '../support/raw-client.ts'
import { waitFor } from '../support/wait-for.ts'

function temporaryPath(): string {
  const directory = temporaryDirectory()
  onTestFinished(directory.remove)
  return directory.path
}

/** The number in a pid file, as soon as there is one. */
function pidIn(file: string): Promise<number> {
  return waitFor(`a number in ${file}`, () => existsSync(file) && Number(readFileSync(file)))
}

/** Ends a server that is not the test's child. */
function endAtLast(pid: number): void {
  onTestFinished(async () => {
    if (isAlive(pid)) process.kill(pid, 'SIGTERM')
    await waitUntilGone(pid)
  })
}

describe.skipIf(!hasPython())('USR2', () => {
  test('a new server takes over the sockets and the pid file, and what the old one has is finished', async () => {
    const folder = temporaryPath()
    const socketPath = join(folder, 'site.sock')
    const pidfile = join(folder, 'site.pid')
    const old = await startPlain({
      args: [
        ...['-b', '127.0.0.1:0', '-b', `unix:${socketPath}`, '--pid', pidfile, '--threads', '2'],
        // A slow machine takes longer than the usual 5 s to start the next server.
        ...['--keep-alive', '120'],
      ],
    })
    const unix = { ...old, socketPath }
    const idle = await RawConnection.open(old)
    expect((await idle.request(get('/generation'))).text).toBe('0')
    const busy = await RawConnection.open(old)
    const slow = busy.request(get('/wait?key=slow'))
    await old.begun('slow')

    old.setGeneration(2)
    old.signal('SIGUSR2')
    const next = await pidIn(`${pidfile}.2`)
    endAtLast(next)
    await old.waitForLog(new RegExp(`The new server \\(${next}\\) serves too`))
    expect(await pidIn(pidfile)).toBe(old.pid)
    // One next server at a time, and none of the next one.
    old.signal('SIGUSR2')
    await old.waitForLog(
      new RegExp(`not starting another.* \\(${next}\\) is there already.* \\[MONO5301\\]`),
    )
    process.kill(next, 'SIGUSR2')
    await old.waitForLog(new RegExp(`The old server \\(${old.pid}\\) still runs`))

    old.signal('SIGTERM')
    await old.waitForLog(/SIGTERM: stopping/)
    // The connection was made to the old one, which answers once more and says goodbye.
    const last = await idle.request(get('/generation'))
    expect(last.text).toBe('0')
    expect(last.header('connection')).toBe('close')
    old.go('slow')
    expect((await slow).status).toBe(200)
    expect(await old.exited).toEqual({ code: 0, signal: null })

    await old.waitForLog(new RegExp(`The old server \\(${old.pid}\\) has ended`))
    await waitFor('the pid file to name the next one', () => {
      return existsSync(pidfile) && Number(readFileSync(pidfile)) === next
    })
    expect(existsSync(`${pidfile}.2`)).toBe(false)
    for (const target of [old, unix]) {
      const connection = await RawConnection.open(target)
      expect((await connection.request(get('/generation'))).text).toBe('2')
      connection.close()
    }

    process.kill(next, 'SIGTERM')
    await waitUntilGone(next)
    expect(existsSync(socketPath)).toBe(false)
    expect(existsSync(pidfile)).toBe(false)
  })

  test('a new server that cannot start leaves the old one as it is; WINCH, HUP and TTIN go back and forth', async () => {
    const folder = temporaryPath()
    const socketPath = join(folder, 'site.sock')
    const pidfile = join(folder, 'site.pid')
    const server = await startPlain({ args: ['-b', `unix:${socketPath}`, '--pid', pidfile] })
    const answer = async () => {
      const connection = await RawConnection.open(server)
      const response = await connection.request(get('/generation'))
      connection.close()
      return response.text
    }
    server.setGeneration('broken')
    server.signal('SIGUSR2')
    await server.waitForLog(
      /\[ERROR\] Upgrade failed; this server goes on\. .* exited with status 3/,
    )
    expect(await answer()).toBe('0')
    expect(existsSync(`${pidfile}.2`)).toBe(false)
    expect(await pidIn(pidfile)).toBe(server.pid)

    const oldWorkers = server.workers()
    // The next one serves alone, is found to be bad, and leaves.
    server.setGeneration(2)
    server.signal('SIGUSR2')
    const next = await pidIn(`${pidfile}.2`)
    endAtLast(next)
    await server.waitForLog(/serves too/)
    server.signal('SIGWINCH')
    for (const worker of oldWorkers) await waitUntilGone(worker)
    expect(await answer()).toBe('2')
    process.kill(next, 'SIGTERM')
    await waitUntilGone(next)
    await server.waitForLog(
      /The new server \(\d+\) exited with status 0; this one serves on \[MONO5302\]/,
    )
    expect(existsSync(socketPath)).toBe(true)
    const waiting = answer()
    server.setGeneration(3)
    server.signal('SIGHUP')
    expect(await waiting).toBe('3')

    // Without another server, connections wait.
    await server.waitForLog(/\] Reloaded\n/)
    server.signal('SIGWINCH')
    await waitFor('no worker', () => server.workers().length === 0)
    const patient = answer()
    server.signal('SIGTTIN')
    expect(await patient).toBe('3')
    await server.stop()
    expect(existsSync(socketPath)).toBe(false)
  })
})
