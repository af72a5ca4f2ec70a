import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { repository } from '../support/build.ts'
import { descendantsOf, isAlive, waitUntilGone } from '../support/processes.ts'
import { hasProgram } from '../support/system-program.ts'
import { waitFor } from '../support/wait-for.ts'

// The benchmark itself, as small as it can be: it drives our server only, so nothing is compared,
// and no figure is expected to be large.

const run = promisify(execFile)
const missing = !hasProgram('wrk')

function bench(...args: string[]): string[] {
  const small = ['--servers', 'monoceros', '--rounds', '1', '--workers', '1', '--no-save']
  return ['bench/run.mjs', '--workloads', 'hello', ...small, ...args]
}

/** The cells of the table's row that begins with `monoceros`, below a title. */
function rowBelow(title: string, report: string): string[] {
  const [, row] = new RegExp(`^## ${title}$[^]*?^\\| monoceros (.*)$`, 'm').exec(report) ?? []
  return (row ?? '').split('|').map((cell) => cell.trim())
}

test.skipIf(missing)(
  'the benchmark measures a server, as fast as it goes and at a rate',
  {
    timeout: 300_000,
  },
  async () => {
    const { stdout } = await run('node', bench('--seconds', '1', '--rates', '200'), {
      cwd: repository,
    })
    const [, requests, p50, , cpu, memory, errors] = rowBelow('Hello world, 64 connections', stdout)
    for (const figure of [requests, p50, cpu, memory])
      expect(Number(figure?.replaceAll(',', ''))).toBeGreaterThan(0)
    expect(errors).toBe('0')

    const [, sent, answered, median] = rowBelow('Hello world, at 200 requests/s', stdout)
    expect(sent).toBe('200')
    expect(Number(answered)).toBeGreaterThan(0)
    expect(Number(answered)).toBeLessThanOrEqual(201)
    expect(Number(median)).toBeGreaterThan(0)
  },
)

test.skipIf(missing)(
  'the benchmark leaves no process behind when it is interrupted',
  {
    timeout: 120_000,
  },
  async () => {
    const child = spawn('node', bench('--seconds', '60'), {
      cwd: repository,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let said = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    // Arbiter, acceptor, a worker, and the load generator, or some of them.
    const started = await waitFor(
      'a server and a load generator',
      () => {
        const all = descendantsOf(child.pid!)
        return said.includes('Starting 1 servers') && all.length >= 3 ? all : null
      },
      60_000,
    )
    child.kill('SIGINT')
    const [status] = await once(child, 'exit')
    expect(status).toBe(1)
    expect(said).toContain('The benchmark stopped: Stopped by SIGINT')
    for (const pid of started) await waitUntilGone(pid)
    expect(started.filter(isAlive)).toEqual([])
  },
)

test('a wrong option is one line, with what to do', async () => {
  const refused = run('node', ['bench/run.mjs', '--rates', 'fast'], { cwd: repository })
  await expect(refused).rejects.toMatchObject({
    code: 2,
    stderr:
      '--rates fast: it must be requests/s, such as 600, or a part of the capacity, such as ' +
      '60%. See npm run bench -- --help\n',
  })
})
