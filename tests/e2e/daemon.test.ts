import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { statFields } from '../../src/process/other-process.ts'
import { appsDirectory, temporaryDirectory } from '../support/applications.ts'
import { commandPath } from '../support/build.ts'
import { childrenOf, commandLineOf, isAlive, waitUntilGone } from '../support/processes.ts'
import { hasPython, testPython } from '../support/python.ts'

/** Runs the command to its end. What it leaves running is the caller's. */
function run(args: string[], cwd: string): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, VIRTUAL_ENV: testPython().prefix, TEST_DATA: cwd, TMPDIR: cwd }
    const all = [commandPath, '--daemon', '--bind', 'unix:site.sock', ...args]
    const child = execFile(process.execPath, all, { cwd, env }, (_error, _stdout, stderr) =>
      resolve({ code: child.exitCode ?? -1, stderr }),
    )
  })
}

describe.skipIf(!hasPython())('--daemon', () => {
  test('the command ends when a server serves that has no terminal and survives it', async () => {
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    const pidfile = join(directory.path, 'site.pid')
    const log = join(directory.path, 'log')
    const args = ['--pid', 'site.pid', '--error-logfile', 'log', '--name', 'shop']
    const started = await run([...args, '--pythonpath', appsDirectory, 'plain:app'], directory.path)
    expect(started).toEqual({ code: 0, stderr: '' })
    const pid = Number(readFileSync(pidfile, 'utf8'))
    onTestFinished(async () => {
      if (isAlive(pid)) process.kill(pid, 'SIGKILL')
      await waitUntilGone(pid)
    })
    expect(started).toEqual({ code: 0, stderr: '' })
    expect(readFileSync(log, 'utf8')).toContain('Listening at unix:')

    const [, , , session, terminal] = statFields(pid)
    expect([Number(session), Number(terminal)]).toEqual([pid, 0])
    expect(commandLineOf(pid)).toBe('monoceros: master [shop]')
    const [acceptor] = childrenOf(pid)
    expect(commandLineOf(acceptor!)).toBe('monoceros: acceptor [shop]')
    const [worker] = childrenOf(acceptor!)
    expect(readFileSync(`/proc/${worker}/comm`, 'utf8')).toBe('worker [shop]\n')

    // A second one is refused, on the terminal and by the exit status.
    const again = await run([...args, '--pythonpath', appsDirectory, 'plain:app'], directory.path)
    expect(again.code).toBe(1)
    expect(again.stderr).toMatch(/^monoceros: The pid file .* names process \d+, which is running/)

    process.kill(pid, 'SIGTERM')
    await waitUntilGone(pid)
    expect(existsSync(pidfile)).toBe(false)
  })

  test('with -R it keeps the file that the shell gave it for its output', async () => {
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    const output = join(directory.path, 'output')
    const file = openSync(output, 'w')
    const env = { ...process.env, VIRTUAL_ENV: testPython().prefix, TEST_DATA: directory.path }
    const flags = ['--daemon', '-R', '--bind', 'unix:site.sock', '--pid', 'site.pid']
    const args = [commandPath, ...flags, '--pythonpath', appsDirectory, 'plain:app']
    const child = spawn(process.execPath, args, {
      cwd: directory.path,
      env,
      stdio: ['ignore', file, file],
    })
    const [code] = await once(child, 'exit')
    closeSync(file)
    const pid = Number(readFileSync(join(directory.path, 'site.pid'), 'utf8'))
    onTestFinished(() => waitUntilGone(pid))
    expect(code).toBe(0)
    process.kill(pid, 'SIGTERM')
    await waitUntilGone(pid)
    // One server's log, and no note about a lost log.
    expect(readFileSync(output, 'utf8')).toMatch(/^\[.*Starting monoceros[\s\S]*Stopped\n$/)
  })

  test('what keeps it from starting is shown where it was started', async () => {
    const directory = temporaryDirectory()
    onTestFinished(directory.remove)
    const { code, stderr } = await run(['nothing:app'], directory.path)
    expect(code).toBe(3)
    expect(stderr).toMatch(
      /^monoceros: note: A daemon has no terminal.*\nmonoceros: application 'nothing:app': there is no module/,
    )
  })
})
