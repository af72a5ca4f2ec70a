import type { HostProcess } from '../../process/host-process.ts'
import type { Settings } from '../../settings/table.ts'
import type { ArbiterDriver } from '../actions.ts'
import { OperationsDriver } from './operations.ts'
import { SignalDriver } from './signals.ts'

export interface StandardDriverOptions {
  readonly settings: Settings
  readonly host: HostProcess
  /** This server was started to replace another. */
  readonly isUpgrade: boolean
}

/** Who decides on a server that the command has started. What it does not need is not loaded. */
export async function standardDrivers({
  settings,
  host,
  isUpgrade,
}: StandardDriverOptions): Promise<readonly ArbiterDriver[]> {
  const drivers: ArbiterDriver[] = [
    new SignalDriver(host),
    new OperationsDriver(settings, isUpgrade),
  ]
  if (process.env.NOTIFY_SOCKET) {
    const { SystemdDriver } = await import('./systemd.ts')
    drivers.push(new SystemdDriver({ pid: host.pid, isUpgrade }))
  }
  if (!settings.controlSocketDisable) {
    const { ControlDriver } = await import('./control.ts')
    drivers.push(new ControlDriver({ settings, pid: host.pid, isUpgrade }))
  }
  if (settings.reload) {
    const { ReloadDriver } = await import('./reload/reload-driver.ts')
    drivers.push(new ReloadDriver(settings))
  }
  return drivers
}
