import { EventEmitter } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { waitFor } from '../../tests/support/wait-for.ts'
import { loadSettings } from '../config/load-settings.ts'
import { type AcceptorControls, runAcceptorProcess } from './acceptor-process.ts'
import type {
  BrowserChange,
  FromAcceptor,
  ReadyReport,
  StartMessage,
  ToAcceptor,
} from './messages.ts'
import type { Answers } from './questions.ts'

const ready: ReadyReport = {
  workers: [{ pid: 4713, pythonVersion: '3.11.7', implementation: 'CPython' }],
  interpreter: '/usr/bin/python3',
  threads: 1,
}

let directory: string
let logPath: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'monoceros-test-'))
  logPath = join(directory, 'log')
})

afterEach(() => {
  vi.useRealTimers()
  rmSync(directory, { recursive: true, force: true })
})

/** Stands for `process`: notes what is sent, killed and exited with. */
class TestHost extends EventEmitter {
  readonly pid = 4712
  readonly sent: FromAcceptor[] = []
  readonly killed: [number, string][] = []
  readonly exits: number[] = []

  send(message: FromAcceptor, callback: (error: Error | null) => void): void {
    this.sent.push(message)
    setImmediate(callback, null)
  }

  kill(pid: number, signal: NodeJS.Signals): void {
    this.killed.push([pid, signal])
  }

  exit(code: number): void {
    this.exits.push(code)
  }

  receive(message: ToAcceptor): void {
    this.emit('message', message)
  }
}

/** Answers only these. */
function answering(answers: Partial<Answers>): Answers {
  return answers as Answers
}

/** An acceptor whose calls are noted, and end as the test says. */
class TestAcceptor implements AcceptorControls {
  readonly calls: string[] = []
  started: () => Promise<ReadyReport> = () => Promise.resolve(ready)
  reloaded: () => Promise<void> = () => Promise.resolve()
  stopped: () => Promise<void> = () => Promise.resolve()

  start(): Promise<ReadyReport> {
    this.calls.push('start')
    return this.started()
  }

  reload(): Promise<void> {
    this.calls.push('reload')
    return this.reloaded()
  }

  abandonReload(): void {
    this.calls.push('abandonReload')
  }

  notReady(): void {
    this.calls.push('not ready')
  }

  scale(workers: number): void {
    this.calls.push(`scale ${workers}`)
  }

  answers = answering({ workers: () => [{ pid: 4713, state: 'serving', requests: 2 }] })

  stop(graceTimeoutMs: number, replaced: boolean): Promise<void> {
    this.calls.push(`stop ${graceTimeoutMs}${replaced ? ', replaced' : ''}`)
    return this.stopped()
  }

  async endWorkers(): Promise<void> {}

  closeIdle(): void {
    this.calls.push('closeIdle')
  }

  kill(): void {
    this.calls.push('kill')
  }

  useTls(): void {
    this.calls.push('useTls')
  }

  dropCached(): void {}

  reopenLogs(): void {
    this.calls.push('reopenLogs')
  }

  showFailure(text: string | null): void {
    this.calls.push(`showFailure ${text}`)
  }

  refreshBrowsers(version: number, { kind }: BrowserChange): void {
    this.calls.push(`refreshBrowsers ${version} ${kind}`)
  }
}

async function startMessage(app = 'hello:app'): Promise<StartMessage> {
  const args = ['--error-logfile', logPath, '--graceful-timeout', '7', app]
  const { settings } = await loadSettings({ args, env: {}, cwd: directory })
  const address = { kind: 'tcp', host: '127.0.0.1', port: 8000 } as const
  return {
    type: 'start',
    settings,
    listeners: [{ fd: 4, address, tls: false, redirects: false }],
    tls: null,
    workers: 2,
    tmpDir: directory,
    stackFd: null,
    development: null,
  }
}

/**
 * A process that has been told to start an acceptor which, where `prepare` says nothing else,
 * serves.
 */
async function begin(prepare: (acceptor: TestAcceptor) => void = () => {}) {
  const host = new TestHost()
  const acceptor = new TestAcceptor()
  prepare(acceptor)
  const created: StartMessage[] = []
  runAcceptorProcess(host, (start) => {
    created.push(start)
    return acceptor
  })
  const start = await startMessage()
  host.receive(start)
  expect(created).toEqual([start])
  return { host, acceptor }
}

async function serving(prepare: (acceptor: TestAcceptor) => void = () => {}) {
  const process = await begin(prepare)
  await waitFor('ready', () => process.host.sent.length > 0)
  expect(process.host.sent.splice(0)).toEqual([{ type: 'ready', ready }])
  expect(process.acceptor.calls.splice(0)).toEqual(['start'])
  return process
}

function never<T>(): Promise<T> {
  return new Promise(() => {})
}

class CodedError extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

function log(): string {
  return existsSync(logPath) ? readFileSync(logPath, 'utf8') : ''
}

describe('what cannot start', () => {
  test('an application that cannot be loaded is told as such, and the process leaves with status 1 once that is sent', async () => {
    const { host, acceptor } = await begin((it) => {
      it.started = () =>
        Promise.reject(new CodedError('application-load', 'Traceback …\nImportError: x'))
    })
    await waitFor('the exit', () => host.exits.length > 0)
    const text = 'Traceback … [MONO2012]\nImportError: x'
    expect(host.sent).toEqual([{ type: 'failed', kind: 'application-load', text }])
    expect(host.exits).toEqual([1])
    expect(acceptor.calls).toEqual(['start', 'kill'])
  })

  test('an error with a code explains itself, one without is told with its place', async () => {
    for (const [error, text] of [
      [
        new CodedError('no-interpreter', 'No Python was found'),
        /^No Python was found \[MONO5102\]$/,
      ],
      [new TypeError('x is not a function'), /^TypeError: x is not a function \[MONO5902\]\n +at /],
    ] as const) {
      const { host } = await begin((it) => {
        it.started = () => Promise.reject(error)
      })
      await waitFor('the exit', () => host.exits.length > 0)
      expect(host.sent).toEqual([
        { type: 'failed', kind: 'other', text: expect.stringMatching(text) },
      ])
    }
  })

  test('a log file that cannot be opened is told', async () => {
    const host = new TestHost()
    runAcceptorProcess(host, () => new TestAcceptor())
    const start = await startMessage()
    host.receive({
      ...start,
      settings: { ...start.settings, errorLogfile: join(directory, 'absent', 'log') },
    })
    await waitFor('the exit', () => host.exits.length > 0)
    expect(host.sent).toEqual([
      { type: 'failed', kind: 'other', text: expect.stringContaining('absent') },
    ])
  })
})

test('stop, scale and reopening logs reach the acceptor, and the process leaves when it has stopped', async () => {
  const { host, acceptor } = await serving()
  host.receive({ type: 'scale', workers: 3 })
  host.receive({ type: 'reopen-logs' })
  host.receive({ type: 'stop', graceTimeoutMs: 5000, replaced: false })
  host.receive({ type: 'stop', graceTimeoutMs: 1, replaced: false })
  await waitFor('the exit', () => host.exits.length > 0)
  expect(acceptor.calls).toEqual(['scale 3', 'reopenLogs', 'stop 5000', 'closeIdle'])
  expect(host.exits).toEqual([0])
  expect(host.sent).toEqual([])
})

test('kill ends the workers and the process at once, also while it stops', async () => {
  const { host, acceptor } = await serving((it) => {
    it.stopped = never
  })
  host.receive({ type: 'stop', graceTimeoutMs: 5000, replaced: false })
  host.receive({ type: 'kill' })
  expect(host.exits).toEqual([0])
  expect(acceptor.calls).toEqual(['stop 5000', 'kill'])
})

test('kill while the application is being loaded says nothing about it', async () => {
  let fail: (error: Error) => void = () => {}
  const { host } = await begin((it) => {
    it.started = () =>
      new Promise((_, reject) => {
        fail = reject
      })
  })
  host.receive({ type: 'kill' })
  expect(host.exits).toEqual([0])
  fail(new CodedError('application-load', 'worker gone'))
  await new Promise(setImmediate)
  expect(host.sent).toEqual([])
})

test('an acceptor that does not stop in its time is ended', async () => {
  const { host, acceptor } = await serving((it) => {
    it.stopped = never
  })
  vi.useFakeTimers()
  host.receive({ type: 'stop', graceTimeoutMs: 5000, replaced: false })
  vi.advanceTimersByTime(5999)
  expect(host.exits).toEqual([])
  vi.advanceTimersByTime(1)
  expect(acceptor.calls).toEqual(['stop 5000', 'kill'])
  expect(host.exits).toEqual([0])
  vi.useRealTimers()
  await waitFor('the log', () => log() !== '')
  expect(log()).toMatch(
    /\[ERROR\] Acceptor did not stop within 5 s \(graceful_timeout\); ending it \[MONO5104\]\n/,
  )
})

describe('reload', () => {
  test('is answered when the new workers serve', async () => {
    const { host, acceptor } = await serving()
    host.receive({ type: 'reload' })
    await waitFor('the answer', () => host.sent.length > 0)
    expect(acceptor.calls).toEqual(['reload'])
    expect(host.sent).toEqual([{ type: 'reloaded' }])
  })

  test('that fails is answered with the reason, and the process goes on', async () => {
    const { host } = await serving((it) => {
      it.reloaded = () => Promise.reject(new CodedError('application-load', 'SyntaxError'))
    })
    host.receive({ type: 'reload' })
    await waitFor('the answer', () => host.sent.length > 0)
    expect(host.sent).toEqual([
      { type: 'reload-failed', kind: 'application-load', text: 'SyntaxError [MONO2012]' },
    ])
    expect(host.exits).toEqual([])
  })
})

describe('signals', () => {
  test('TERM to the process itself: it says that it leaves, and stops gracefully', async () => {
    const { host, acceptor } = await serving()
    host.emit('SIGTERM')
    host.emit('SIGTERM')
    expect(host.sent).toEqual([{ type: 'leaving', failed: false }])
    expect(acceptor.calls).toEqual(['stop 7000, replaced'])
    await waitFor('the exit', () => host.exits.length > 0)
    expect(host.exits).toEqual([0])
  })

  test('what a terminal or an operator sends to the whole group is left to the arbiter', async () => {
    const { host, acceptor } = await serving()
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']) {
      // Without a listener the signal would end the process.
      expect(host.listenerCount(signal)).toBe(1)
      host.emit(signal)
    }
    expect(acceptor.calls).toEqual([])
    expect(host.exits).toEqual([])
  })
})

describe('when the arbiter is gone', () => {
  test('it stops gracefully, and then clears up behind itself', async () => {
    const { host, acceptor } = await serving()
    host.emit('disconnect')
    await waitFor('the exit', () => host.exits.length > 0)
    expect(acceptor.calls).toEqual(['stop 7000'])
    expect(host.killed).toEqual([[-4712, 'SIGKILL']])
    expect(existsSync(directory)).toBe(false)
    expect(host.sent).toEqual([])
  })

  test('before anything was started, it just leaves', async () => {
    const host = new TestHost()
    runAcceptorProcess(host, () => new TestAcceptor())
    host.emit('disconnect')
    await waitFor('the exit', () => host.exits.length > 0)
    expect(host.exits).toEqual([0])
  })

  test('while it stops already, it goes on stopping and clears up', async () => {
    let stopped: () => void = () => {}
    const { host, acceptor } = await serving((it) => {
      it.stopped = () =>
        new Promise((resolve) => {
          stopped = resolve
        })
    })
    host.receive({ type: 'stop', graceTimeoutMs: 5000, replaced: false })
    host.emit('disconnect')
    stopped()
    await waitFor('the exit', () => host.exits.length > 0)
    expect(acceptor.calls).toEqual(['stop 5000', 'closeIdle'])
    expect(host.killed).toEqual([[-4712, 'SIGKILL']])
  })
})

test('a mistake of our own is logged with its stack, the workers are ended, and the status is 70', async () => {
  const { host, acceptor } = await serving()
  host.emit('uncaughtException', new Error('we slipped'))
  expect(log()).toMatch(
    /\[CRITICAL\] Bug in the acceptor, please report it: Error: we slipped \[MONO5902\]\n +at /,
  )
  expect(acceptor.calls).toEqual(['kill'])
  expect(host.exits).toEqual([70])
})

describe('with an application in TypeScript', () => {
  async function servingTypeScript(prepare: (acceptor: TestAcceptor) => void = () => {}) {
    const host = new TestHost()
    const acceptor = new TestAcceptor()
    prepare(acceptor)
    let retire = () => {}
    runAcceptorProcess(host, (_start, _log, arbiter) => {
      retire = arbiter.retire
      return acceptor
    })
    host.receive(await startMessage('./app.ts:app'))
    await waitFor('ready', () => host.sent.length > 0)
    host.sent.length = 0
    return { host, acceptor, retire: () => retire() }
  }

  test('an error that it does not catch has the process replaced; what is in flight finishes, whatever else it throws', async () => {
    let stopped = () => {}
    const { host, acceptor } = await servingTypeScript((it) => {
      it.stopped = () =>
        new Promise((resolve) => {
          stopped = resolve
        })
    })
    for (let i = 0; i < 1000; i++) host.emit('uncaughtException', new Error(`tick ${i}.`))
    expect(host.sent).toEqual([{ type: 'leaving', failed: true }])
    expect(acceptor.calls).toEqual(['start', 'stop 7000, replaced'])
    expect(host.exits).toEqual([])
    expect(log()).toMatch(/\[CRITICAL\] Uncaught error in the application.*\nError: tick 0\./)
    expect(log()).toMatch(/\[ERROR\] Uncaught error in the application.*\nError: tick 1\./)
    expect(log()).not.toMatch(/tick 100\.|report it/)
    stopped()
    await waitFor('the exit', () => host.exits.length > 0)
    expect(host.exits).toEqual([0])
  })

  test('it cannot speak to the arbiter', async () => {
    const { host, retire } = await servingTypeScript()
    expect(host.send).toBeUndefined()
    retire()
    expect(host.sent).toHaveLength(1)
  })

  test('one that is due to be replaced says so, and goes on', async () => {
    const { host, acceptor, retire } = await servingTypeScript()
    retire()
    expect(host.sent).toEqual([{ type: 'retiring' }])
    expect(acceptor.calls).toEqual(['start'])
  })
})

test('a stop that fails is a mistake of our own', async () => {
  const { host } = await serving((it) => {
    it.stopped = () => Promise.reject(new Error('cannot'))
  })
  host.receive({ type: 'stop', graceTimeoutMs: 5000, replaced: false })
  await waitFor('the exit', () => host.exits.length > 0)
  expect(host.exits).toEqual([70])
  expect(log()).toContain('Error: cannot')
})

test('a question is answered with its number; before there is an acceptor, with a reason', async () => {
  const early = new TestHost()
  runAcceptorProcess(early, () => new TestAcceptor())
  early.receive({ type: 'ask', id: 7, question: 'workers', details: null })
  await waitFor('the refusal', () => early.sent.length > 0)
  expect(early.sent).toEqual([{ type: 'no-answer', id: 7, reason: 'it is still starting' }])
  const { host } = await begin()
  host.receive({ type: 'ask', id: 8, question: 'workers', details: null })
  const answer = [{ pid: 4713, state: 'serving', requests: 2 }]
  await waitFor('the answer', () => host.sent.some(({ type }) => type === 'answer'))
  expect(host.sent).toContainEqual({ type: 'answer', id: 8, answer })
})

test('an answer that fails is a reason for the arbiter', async () => {
  const { host } = await serving((it) => {
    it.answers = answering({ workers: () => Promise.reject(new Error('cannot look')) })
  })
  host.receive({ type: 'ask', id: 9, question: 'workers', details: null })
  await waitFor('the reason', () => host.sent.some(({ type }) => type === 'no-answer'))
  expect(host.sent).toContainEqual({ type: 'no-answer', id: 9, reason: 'cannot look' })
})
