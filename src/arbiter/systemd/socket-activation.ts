/** Listening sockets that systemd opened for this process (sd_listen_fds(3)). */
import { type Coded, coded } from '../../messages/coded.ts'
import type { BindAddress } from '../../settings/bind-address.ts'

/** The number of the first socket: SD_LISTEN_FDS_START. */
const FIRST = 3

/** Sockets that the process was started with. */
export interface ActivatedSockets {
  readonly addresses: readonly BindAddress[]
  /** What systemd calls them (`FileDescriptorName=`, or else the socket unit); may be empty. */
  readonly names: readonly string[]
}

/** Variables are removed from it: they are meant for this process, not for its children. */
export type ActivationEnvironment = Record<string, string | undefined>

/**
 * The sockets that the environment announces; none if they are meant for another process, or if
 * there are none.
 *
 * @param warn called if `LISTEN_PID` names another process
 */
export function activatedSockets(
  environment: ActivationEnvironment,
  pid: number,
  warn: (text: Coded) => void,
): ActivatedSockets {
  const { LISTEN_PID: process, LISTEN_FDS: count, LISTEN_FDNAMES: names = '' } = environment
  if (count === undefined || process === undefined) return { addresses: [], names: [] }
  if (Number(process) !== pid) {
    warn(
      coded(
        'MONO3013',
        `LISTEN_FDS is ignored: the sockets are for process ${process}, and this is ${pid}. ` +
          'A script in between must start monoceros with exec.',
      ),
    )
    return { addresses: [], names: [] }
  }
  forgetActivation(environment)
  const sockets = /^[0-9]{1,5}$/.test(count) ? Number(count) : 0
  return {
    addresses: Array.from({ length: sockets }, (_, index) => ({ kind: 'fd', fd: FIRST + index })),
    names: names.split(':').filter((name) => name !== '' && name !== 'unknown'),
  }
}

/** Removes what is about sockets from the environment: the application must not take them. */
export function forgetActivation(environment: ActivationEnvironment): void {
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID'])
    delete environment[name]
}
