import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import { isMonoceros, isRunning, secondsAlive } from '../process/other-process.ts'
import { Pidfile, PidfileError } from './pidfile.ts'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  path = join(directory, 'site.pid')
})

afterEach(() => rmSync(directory, { recursive: true }))

function pidOfTheDead(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

test('it holds the pid while it exists, and nothing stays', () => {
  const pidfile = new Pidfile(path)
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  pidfile.remove()
  expect(readdirSync(directory)).toEqual([])
})

test('one that a dead process left behind is replaced, and so is one that holds no pid', () => {
  for (const text of [`${pidOfTheDead()}\n`, '', 'nonsense', '-1', '0']) {
    writeFileSync(path, text)
    new Pidfile(path)
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  }
})

test("one of a running process is refused and left alone: it is another server's", () => {
  writeFileSync(path, `${process.ppid}\n`)
  expect(() => new Pidfile(path)).toThrow(PidfileError)
  expect(() => new Pidfile(path)).toThrow(`names process ${process.ppid}, which is running`)
  expect(readFileSync(path, 'utf8')).toBe(`${process.ppid}\n`)
})

test('it moves, also to where a process that is known to be gone has left one', () => {
  const other = join(directory, 'other.pid')
  const pidfile = new Pidfile(path)
  writeFileSync(other, `${process.ppid}\n`)
  expect(() => pidfile.move(other)).toThrow(PidfileError)
  expect(pidfile.path).toBe(path)
  pidfile.move(other, process.ppid)
  expect(pidfile.path).toBe(other)
  expect(readdirSync(directory)).toEqual(['other.pid'])
  pidfile.remove()
  expect(readdirSync(directory)).toEqual([])
})

test('one with our own pid is left behind by a predecessor of the same number, as in a container', () => {
  writeFileSync(path, `${process.pid}\n`)
  new Pidfile(path).remove()
  expect(existsSync(path)).toBe(false)
})

test("one that has become another process's is not removed", () => {
  const pidfile = new Pidfile(path)
  writeFileSync(path, '1\n')
  pidfile.remove()
  expect(readFileSync(path, 'utf8')).toBe('1\n')
})

test('a place that cannot be written is named', () => {
  const elsewhere = join(directory, 'absent', 'site.pid')
  expect(() => new Pidfile(elsewhere)).toThrow(`Cannot write the pid file ${elsewhere}: `)
})

/** A process that stays until the test is over. */
async function otherProcess(
  command: string,
  args: string[],
): Promise<ChildProcess & { pid: number }> {
  const child = spawn(command, args, { stdio: 'ignore' })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'spawn') // by then it is the program
  return child as ChildProcess & { pid: number }
}

/** Writes the pid file as if that had been so many seconds ago. */
function writtenAgo(pid: number, seconds: number): void {
  writeFileSync(path, `${pid}\n`)
  const time = Date.now() / 1000 - seconds
  utimesSync(path, time, time)
}

describe.runIf(process.platform === 'linux')(
  'the number in it may have been given out again',
  () => {
    test('to a thread, of ours or of another process', () => {
      for (const owner of [process.pid, process.ppid]) {
        const threads = readdirSync(`/proc/${owner}/task`).map(Number)
        const thread = threads.find((it) => it !== owner)
        expect(thread).toBeDefined()
        process.kill(thread!, 0) // says that it is there
        expect(isRunning(thread!)).toBe(false)
        writeFileSync(path, `${thread}\n`)
        new Pidfile(path).remove()
      }
    })

    test('to a program that was started after the file was written', async () => {
      const other = await otherProcess('sleep', ['600'])
      writtenAgo(other.pid, 3600)
      new Pidfile(path)
      expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
    })

    test('but not to one that was there before: it is told what that is, and what to do', async () => {
      const other = await otherProcess('sleep', ['601'])
      writtenAgo(other.pid, -60)
      expect(() => new Pidfile(path)).toThrow(
        `The pid file ${path} names process ${other.pid}, which is running: "sleep 601". ` +
          'That is not Monoceros. ' +
          "If the file is not that program's, remove it; otherwise give --pid another path.",
      )
      expect(readFileSync(path, 'utf8')).toBe(`${other.pid}\n`)
    })

    test('and a Monoceros is one, however old the file looks', async () => {
      const script = join(directory, 'monoceros')
      writeFileSync(script, 'setInterval(() => {}, 1000)')
      const other = await otherProcess(process.execPath, [script, 'shop:app'])
      writtenAgo(other.pid, 3600)
      expect(() => new Pidfile(path)).toThrow(`${script} shop:app". Stop that server first`)
    })

    test('a process that has ended and waits for its parent to ask is gone', async () => {
      // The shell's child ends; the program that takes the shell's place knows nothing of it.
      const parent = await otherProcess('sh', ['-c', 'sleep 0 & exec sleep 602'])
      const children = () =>
        readFileSync(`/proc/${parent.pid}/task/${parent.pid}/children`, 'latin1').trim()
      const zombie = await waitFor('the zombie', () => {
        const child = children()
        return (
          child !== '' &&
          /^State:\s*Z/m.test(readFileSync(`/proc/${child}/status`, 'latin1')) &&
          Number(child)
        )
      })
      writtenAgo(zombie, -60)
      new Pidfile(path).remove()
    })
  },
)

describe('what stands in its place', () => {
  test('is left alone when it is no file', () => {
    mkdirSync(path)
    expect(() => new Pidfile(path)).toThrow(`The pid file ${path} is not a regular file`)
    expect(statSync(path).isDirectory()).toBe(true)
    expect(() => new Pidfile('/dev/null')).toThrow('The pid file /dev/null is not a regular file')
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true)
  })

  test('holds nobody up when it is a pipe, by itself or behind a link', () => {
    const pipe = join(directory, 'pipe')
    spawnSync('mkfifo', [pipe])
    expect(() => new Pidfile(pipe)).toThrow('is not a regular file')
    symlinkSync(pipe, path)
    new Pidfile(path)
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
    expect(statSync(pipe).isFIFO()).toBe(true)
  })

  test('is never written through, when it is a link', () => {
    const victim = join(directory, 'victim')
    writeFileSync(victim, 'precious')
    symlinkSync(victim, path)
    new Pidfile(path)
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`)
  })

  test('has mode 0644, whatever the umask', () => {
    const umask = process.umask(0o077)
    try {
      new Pidfile(path)
    } finally {
      process.umask(umask)
    }
    expect(statSync(path).mode & 0o777).toBe(0o644)
  })
})

test('temporary files that were left behind are removed, and nothing else', () => {
  const old = Date.now() / 1000 - 3600
  const names = {
    'site.pid.0123456789abcdef': false,
    'site.pid.fedcba9876543210': true, // young: somebody may be about to rename it
    'site.pid.0123456789abcdeg': true,
    'site.pid.bak': true,
    'othersite.pid.0123456789abcdef': true,
  }
  for (const name of Object.keys(names)) {
    writeFileSync(join(directory, name), '')
    if (name !== 'site.pid.fedcba9876543210') utimesSync(join(directory, name), old, old)
  }
  new Pidfile(path)
  for (const [name, stays] of Object.entries(names))
    expect(existsSync(join(directory, name))).toBe(stays)
})

test.skipIf(process.getuid?.() === 0)(
  'nothing is left behind in a folder that cannot be written to',
  () => {
    chmodSync(directory, 0o555)
    expect(() => new Pidfile(path)).toThrow('permission denied')
    chmodSync(directory, 0o755)
    expect(readdirSync(directory)).toEqual([])
  },
)

test('a Monoceros is known by its name, not by its arguments', () => {
  expect(isMonoceros(['node', '/usr/local/bin/monoceros', 'shop:app'], undefined)).toBe(true)
  expect(
    isMonoceros(['node', '--max-old-space-size=512', 'dist/cli/main.js', 'shop:app'], undefined),
  ).toBe(true)
  expect(isMonoceros(['monoceros', 'shop:app'], undefined)).toBe(true)
  expect(isMonoceros(['node', '/srv/serve.js'], '/srv/serve.js')).toBe(true)
  expect(isMonoceros(['vi', 'notes', '/usr/local/bin/monoceros'], undefined)).toBe(false)
  expect(isMonoceros([], undefined)).toBe(false)
})

test.runIf(process.platform === 'linux')(
  'how long a process has been running is known without a clock that can be set',
  () => {
    const uptime = process.uptime()
    const alive = secondsAlive(process.pid)
    // Node starts its clock a moment after the process.
    expect(alive).toBeGreaterThanOrEqual(uptime - 0.1)
    expect(alive).toBeLessThan(uptime + 60)
    expect(secondsAlive(process.ppid)!).toBeGreaterThanOrEqual(secondsAlive(process.pid)!)
    expect(secondsAlive(pidOfTheDead())).toBeUndefined()
  },
)
