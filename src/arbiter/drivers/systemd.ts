/** Tells systemd how the server is (`Type=notify`, `Type=notify-reload`, `WatchdogSec=`). */
import { coded } from '../../messages/coded.ts'
import type { ArbiterActions, ArbiterDriver, DriverLog } from '../actions.ts'
import { plural } from '../start-banner.ts'
import { type Notifier, NotifySocket } from '../systemd/notify-socket.ts'

/** What systemd sets in the environment of a service. */
export interface SystemdEnvironment {
  readonly NOTIFY_SOCKET?: string | undefined
  readonly WATCHDOG_USEC?: string | undefined
  readonly WATCHDOG_PID?: string | undefined
}

export interface SystemdOptions {
  /** This process. */
  readonly pid: number
  /** This server was started to replace another, which still serves. */
  readonly isUpgrade: boolean
  readonly environment?: SystemdEnvironment
  readonly open?: (path: string) => Notifier
}

/**
 * How often systemd hears that something is still going on, and how much time it then gives more.
 * So a start may take as long as `load_timeout` allows; milliseconds.
 */
const BUSY_EVERY_MS = 10_000
const BUSY_MORE_MS = 30_000

/**
 * A driver that only reports. Without `NOTIFY_SOCKET` it does nothing.
 *
 * | when | message |
 * |---|---|
 * | the server starts, reloads or stops | `EXTEND_TIMEOUT_USEC`, as long as that takes |
 * | it serves | `READY=1`, `MAINPID` |
 * | a reload begins | `RELOADING=1`, `MONOTONIC_USEC` |
 * | a reload has succeeded or failed | `READY=1` |
 * | an upgrade serves, or has failed | `MAINPID` of the one, or of this process |
 * | twice in `WATCHDOG_USEC`, if an acceptor serves | `WATCHDOG=1` |
 * | the server begins to stop | `STOPPING=1` |
 *
 * Each has a `STATUS` for `systemctl status`.
 */
export class SystemdDriver implements ArbiterDriver {
  readonly #pid: number
  readonly #environment: SystemdEnvironment
  readonly #open: (path: string) => Notifier
  /** Another server has the same sockets, so the service does not end with this one. */
  #shared: boolean
  #watchdog: NodeJS.Timeout | undefined
  #busy: NodeJS.Timeout | undefined
  #socket: Notifier | null = null
  #checking = false
  #healthy = true

  constructor({ pid, isUpgrade, environment = process.env, open }: SystemdOptions) {
    this.#pid = pid
    this.#shared = isUpgrade
    this.#environment = environment
    this.#open = open ?? ((path) => new NotifySocket(path))
  }

  start(actions: ArbiterActions, log: DriverLog): void {
    const { NOTIFY_SOCKET: path } = this.#environment
    if (path === undefined || !/^[/@]./s.test(path)) return
    const socket = this.#open(path)
    this.#socket = socket
    void socket.sender.then((sender) => {
      if (sender === 'nobody')
        log.warning(
          coded('MONO5411', `Cannot notify systemd: no process reads ${path} (NOTIFY_SOCKET)`),
        )
      else if (sender === 'another process')
        log.info('systemd is notified by another process, which needs NotifyAccess=all in the unit')
    })
    socket.send('STATUS=Loading the application')
    this.#keepBusy()
    this.#follow(actions, socket)
    this.#watch(actions, socket, log)
  }

  end(): void {
    clearInterval(this.#watchdog)
    clearInterval(this.#busy)
    this.#socket?.close()
  }

  #follow(actions: ArbiterActions, socket: Notifier): void {
    const { serving, stopping, reload, upgrade, workersChanged } = actions.events
    const ready = (status: string) => {
      clearInterval(this.#busy)
      socket.send(`READY=1\nSTATUS=${status}`)
    }
    serving.subscribe(({ application, workers }) => {
      const status = `Serving ${oneLine(application)} with ${plural(workers, 'worker')}`
      ready(`${status}\nMAINPID=${this.#pid}`)
    })
    stopping.subscribe(() => {
      // The service goes on in the other server.
      if (this.#shared) return
      socket.send('STOPPING=1\nSTATUS=Stopping')
      this.#keepBusy()
    })
    workersChanged.subscribe(({ workers, before }) => {
      if (before !== null) socket.send(`STATUS=Serving with ${plural(workers, 'worker')}`)
    })
    reload.subscribe((event) => {
      if (event.phase === 'begun') {
        socket.send(`RELOADING=1\nMONOTONIC_USEC=${monotonicNow()}\nSTATUS=Reloading`)
        this.#keepBusy()
      } else if (event.phase === 'done') ready('Serving after a reload')
      else if (event.phase === 'failed')
        ready(`A reload failed, and what was there serves on: ${oneLine(event.reason)}`)
    })
    upgrade.subscribe(({ phase, pid }) => {
      this.#shared = phase === 'serving'
      // Before this process leaves, systemd must know which one stays.
      if (phase === 'serving') socket.send(`MAINPID=${pid}\nSTATUS=Upgraded: process ${pid} serves`)
      else if (phase === 'ended')
        socket.send(`MAINPID=${this.#pid}\nSTATUS=An upgrade ended; what was there serves on`)
    })
  }

  #keepBusy(): void {
    clearInterval(this.#busy)
    const text = `EXTEND_TIMEOUT_USEC=${BUSY_MORE_MS * 1000}`
    this.#busy = setInterval(() => this.#socket?.send(text), BUSY_EVERY_MS)
  }

  /** systemd ends the service if it hears nothing for `WATCHDOG_USEC`. */
  #watch(actions: ArbiterActions, socket: Notifier, log: DriverLog): void {
    const { WATCHDOG_USEC: period, WATCHDOG_PID: pid } = this.#environment
    if (period === undefined || !/^[1-9][0-9]{0,15}$/.test(period)) return
    // After an upgrade, the number is that of the server before, which started this one.
    if (pid !== undefined && ![this.#pid, process.ppid].includes(Number(pid))) return
    const check = async () => {
      if (this.#checking) return
      this.#checking = true
      const healthy = await isHealthy(actions)
      this.#checking = false
      if (healthy) socket.send('WATCHDOG=1')
      else if (this.#healthy)
        log.warning(
          coded(
            'MONO5412',
            'No acceptor serves or answers. Unless that changes, systemd ends this service ' +
              `(WatchdogSec, ${Number(period) / 1e6} s)`,
          ),
        )
      this.#healthy = healthy
    }
    this.#watchdog = setInterval(() => void check(), Math.max(1, Number(period) / 2000))
  }
}

/** Whether the server does what it is there for. That this code runs is a part of the answer. */
async function isHealthy(actions: ArbiterActions): Promise<boolean> {
  if (actions.state !== 'serving' && actions.state !== 'reloading') return true
  const { acceptors } = await actions.status()
  return acceptors.some(
    ({ state, workers }) => (state === 'serving' || state === 'retiring') && workers !== null,
  )
}

/** CLOCK_MONOTONIC, in microseconds. */
function monotonicNow(): string {
  return String(process.hrtime.bigint() / 1000n)
}

function oneLine(text: string): string {
  return text.split('\n', 1)[0]!.slice(0, 200)
}
