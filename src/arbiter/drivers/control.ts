/** The driver behind `monoceros ctl`: commands over a unix socket. */
import type { Socket } from 'node:net'
import {
  makeRuntimeFolder,
  RuntimeFolderError,
  runtimeFolder,
  socketName,
  socketsIn,
} from '../../control/runtime-folder.ts'
import { coded } from '../../messages/coded.ts'
import { isRunning } from '../../process/other-process.ts'
import type { Settings } from '../../settings/table.ts'
import type { ArbiterActions, ArbiterDriver, DriverLog, ReadSettings } from '../actions.ts'
import type { ControlServer } from '../control/control-server.ts'
import { ControlSocket, ControlSocketError, removeDead } from '../control/control-socket.ts'

export interface ControlDriverOptions {
  readonly settings: Settings
  /** This process. */
  readonly pid: number
  /** This server was started to replace another, which still has the path of the settings. */
  readonly isUpgrade: boolean
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly uid?: number
}

/** How many sockets of dead servers a start removes. */
const DEAD_AT_ONCE = 16

type SocketSettings = Pick<Settings, 'controlSocket' | 'controlSocketMode' | 'controlSocketDisable'>

/**
 * Opens the control socket. What answers on it, and Node's HTTP, are loaded with the first
 * connection: until then this costs one descriptor.
 *
 * With a path in the settings, a successor has `PATH.2` until its predecessor is gone, like pid
 * files.
 */
export class ControlDriver implements ArbiterDriver {
  readonly #options: ControlDriverOptions
  #settings: SocketSettings
  #next: SocketSettings | null = null
  #shared: boolean
  #socket: ControlSocket | null = null
  #server: Promise<ControlServer> | null = null
  #connected: (socket: Socket) => void = () => {}

  constructor(options: ControlDriverOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#shared = options.isUpgrade
  }

  async start(actions: ArbiterActions, log: DriverLog): Promise<void> {
    this.#connected = (socket) => {
      socket.on('error', () => {})
      // Loaded once; what is sent in the meantime stays in the socket.
      this.#server ??= import('../control/control-server.ts').then(
        ({ ControlServer }) => new ControlServer(actions, this.#options.pid),
      )
      void this.#server.then((server) => server.take(socket))
    }
    actions.events.upgrade.subscribe(({ phase }) => {
      if (phase !== 'promoted') return
      this.#shared = false
      const path = this.#settings.controlSocket
      if (path !== null && this.#socket?.moveTo(path) === false)
        log.warning(
          coded('MONO5403', `Cannot move the control socket ${this.#socket.path} to ${path}`),
        )
    })
    actions.events.reload.subscribe(({ phase }) => {
      if (phase === 'done') void this.#change(log)
    })
    this.#socket = await this.#open(this.#settings, log)
  }

  reloading({ settings }: ReadSettings): void {
    this.#next = settings
  }

  end(): void {
    this.#socket?.close()
    this.#socket = null
  }

  /** After a reload: its settings may name another path. */
  async #change(log: DriverLog): Promise<void> {
    const next = this.#next
    if (next === null || isSame(next, this.#settings)) return
    this.#settings = next
    const before = this.#socket
    try {
      this.#socket = await this.#open(next, log)
      before?.retire()
    } catch (error) {
      log.warning(coded('MONO5401', error instanceof Error ? error.message : String(error)))
    }
  }

  /** @throws ControlSocketError if the settings name a path that cannot be used */
  async #open(settings: SocketSettings, log: DriverLog): Promise<ControlSocket | null> {
    if (settings.controlSocketDisable) return null
    const { controlSocket, controlSocketMode: mode } = settings
    const connected = (socket: Socket) => this.#connected(socket)
    if (controlSocket !== null) {
      const path = this.#shared ? `${controlSocket}.2` : controlSocket
      return await ControlSocket.open(path, mode, connected)
    }
    const { pid, env = process.env, uid = process.geteuid?.() ?? 0 } = this.#options
    const folder = runtimeFolder(env, uid)
    try {
      makeRuntimeFolder(folder, uid)
      for (const { path } of deadSocketsIn(folder)) await removeDead(path)
      return await ControlSocket.open(`${folder}/${socketName(pid)}`, mode, connected)
    } catch (error) {
      if (!(error instanceof RuntimeFolderError || error instanceof ControlSocketError)) throw error
      log.warning(
        coded('MONO5401', `There is no control socket for monoceros ctl: ${error.message}`),
      )
      return null
    }
  }
}

/** Those of processes that are gone, as far as this one can see: a few at a time. */
function deadSocketsIn(folder: string): { path: string }[] {
  return socketsIn(folder)
    .filter(({ pid }) => !isRunning(pid))
    .slice(0, DEAD_AT_ONCE)
}

function isSame(a: SocketSettings, b: SocketSettings): boolean {
  return (
    a.controlSocket === b.controlSocket &&
    a.controlSocketMode === b.controlSocketMode &&
    a.controlSocketDisable === b.controlSocketDisable
  )
}
