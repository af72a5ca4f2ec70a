import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ArbiterEvents } from '../../observe/arbiter-events.ts'
import type { AcceptorStatus, ArbiterActions, ServerState } from '../actions.ts'
import type { NotifySender } from '../systemd/notify-socket.ts'
import { SystemdDriver, type SystemdEnvironment } from './systemd.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const serving = { application: 'app:app', workers: 2 }
const stopping = { mode: 'graceful', cause: 'SIGTERM' } as const

/** The driver of process 77 with everything that it says. */
function systemd(
  environment: SystemdEnvironment = { NOTIFY_SOCKET: '/run/systemd/notify' },
  { isUpgrade = false, sender = 'this process' as NotifySender } = {},
) {
  const sent: string[] = []
  const warnings: string[] = []
  const events = new ArbiterEvents((_, error) => {
    throw error
  })
  const server = { state: 'serving' as ServerState, acceptors: [] as Partial<AcceptorStatus>[] }
  const actions = {
    get state() {
      return server.state
    },
    events,
    status: async () => ({ acceptors: server.acceptors }),
  } as unknown as ArbiterActions
  let opened = ''
  const driver = new SystemdDriver({
    pid: 77,
    isUpgrade,
    environment,
    open: (path) => {
      opened = path
      return { sender: Promise.resolve(sender), send: (text) => sent.push(text), close: () => {} }
    },
  })
  const log = {
    debug: () => {},
    log: () => {},
    info: (text: string) => warnings.push(text),
    warning: (text: string) => warnings.push(text),
  }
  driver.start(actions, log)
  return { sent, warnings, events, server, driver, opened: () => opened }
}

test('without a socket nothing is opened and nobody listens to events', () => {
  const { opened, events } = systemd({})
  expect(opened()).toBe('')
  expect(events.serving.hasListeners).toBe(false)
})

test('a start, a reload and a stop are told', () => {
  const { sent, events } = systemd()
  events.serving.publish(serving)
  events.reload.publish({ phase: 'begun', cause: 'SIGHUP' })
  events.reload.publish({ phase: 'done' })
  events.stopping.publish(stopping)
  expect(sent).toEqual([
    'STATUS=Loading the application',
    'READY=1\nSTATUS=Serving app:app with 2 workers\nMAINPID=77',
    expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=Reloading$/),
    'READY=1\nSTATUS=Serving after a reload',
    'STOPPING=1\nSTATUS=Stopping',
  ])
})

test('a reload that fails leaves the service ready, with one line of the reason', () => {
  const { sent, events } = systemd()
  events.reload.publish({ phase: 'begun', cause: 'SIGHUP' })
  events.reload.publish({ phase: 'failed', reason: 'It broke\nTraceback' })
  expect(sent.at(-1)).toBe(
    'READY=1\nSTATUS=A reload failed, and what was there serves on: It broke',
  )
})

test('while the application loads, systemd is asked for more time', async () => {
  const { sent, events, driver } = systemd()
  await vi.advanceTimersByTimeAsync(25_000)
  expect(sent.filter((text) => text === 'EXTEND_TIMEOUT_USEC=30000000')).toHaveLength(2)
  events.serving.publish(serving)
  sent.length = 0
  await vi.advanceTimersByTimeAsync(25_000)
  expect(sent).toEqual([])
  driver.end()
})

describe('the watchdog', () => {
  const environment = { NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '2000000', WATCHDOG_PID: '77' }
  const pings = (sent: readonly string[]) => sent.filter((text) => text === 'WATCHDOG=1').length

  test('is fed twice in its time while an acceptor serves and answers, and not otherwise', async () => {
    const { sent, server, warnings, driver } = systemd(environment)
    server.acceptors = [{ state: 'serving', workers: [] }]
    await vi.advanceTimersByTimeAsync(3500)
    expect(pings(sent)).toBe(3)
    server.acceptors = [
      { state: 'serving', workers: null },
      { state: 'stopping', workers: [] },
    ]
    await vi.advanceTimersByTimeAsync(3000)
    expect(pings(sent)).toBe(3)
    expect(warnings).toEqual([
      expect.stringMatching(/^No acceptor serves or answers\. .* \[MONO5412\]$/),
    ])
    server.acceptors = [{ state: 'serving', workers: [] }]
    await vi.advanceTimersByTimeAsync(1000)
    expect(pings(sent)).toBe(4)
    driver.end()
    await vi.advanceTimersByTimeAsync(5000)
    expect(pings(sent)).toBe(4)
  })

  test('of another process is not fed', async () => {
    const { sent, server } = systemd({ ...environment, WATCHDOG_PID: '1234567' })
    server.acceptors = [{ state: 'serving', workers: [] }]
    await vi.advanceTimersByTimeAsync(5000)
    expect(pings(sent)).toBe(0)
  })
})

describe('an upgrade', () => {
  test('makes the new process the main one, and the end of the old one does not stop the service', () => {
    const { sent, events } = systemd()
    events.upgrade.publish({ phase: 'begun', pid: 88 })
    events.upgrade.publish({ phase: 'serving', pid: 88 })
    expect(sent.at(-1)).toMatch(/^MAINPID=88\n/)
    events.stopping.publish(stopping)
    expect(sent.at(-1)).toMatch(/^MAINPID=88\n/)
  })

  test('that ends gives the service back', () => {
    const { sent, events } = systemd()
    events.upgrade.publish({ phase: 'serving', pid: 88 })
    events.upgrade.publish({ phase: 'ended', pid: 88, reason: 'was stopped' })
    expect(sent.at(-1)).toMatch(/^MAINPID=77\n/)
    events.stopping.publish(stopping)
    expect(sent.at(-1)).toMatch(/^STOPPING=1\n/)
  })

  test('ends the service itself only when it is alone', () => {
    const { sent, events } = systemd(undefined, { isUpgrade: true })
    events.stopping.publish(stopping)
    expect(sent.at(-1)).not.toMatch(/STOPPING/)
    events.upgrade.publish({ phase: 'promoted', pid: 66 })
    events.stopping.publish(stopping)
    expect(sent.at(-1)).toMatch(/^STOPPING=1\n/)
  })
})

test('the log says what systemd needs if this process cannot send itself', async () => {
  const { warnings, driver } = systemd(undefined, { sender: 'another process' })
  await vi.advanceTimersByTimeAsync(0)
  expect(warnings).toEqual([expect.stringContaining('NotifyAccess=all')])
  driver.end()
})

test('the log says so if nobody reads what systemd is told', async () => {
  const { warnings, driver } = systemd(undefined, { sender: 'nobody' })
  await vi.advanceTimersByTimeAsync(0)
  expect(warnings).toEqual([
    'Cannot notify systemd: no process reads /run/systemd/notify (NOTIFY_SOCKET) [MONO5411]',
  ])
  driver.end()
})
