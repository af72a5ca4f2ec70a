import type { Coded } from '../messages/coded.ts'
import { helperPythons } from '../process/helper-python.ts'
import {
  type BindAddress,
  formatBindAddress,
  formatSocketAddress,
  parseBindAddress,
} from '../settings/bind-address.ts'
import type { Settings } from '../settings/table.ts'
import { bindAddresses, withTls } from '../settings/tls-binds.ts'
import { type Identity, socketFilesOf } from './identity.ts'
import { keptSockets } from './kept-sockets.ts'
import { type ListeningSocket, type ListenOptions, listenAt } from './listeners.ts'
import { plural } from './start-banner.ts'
import {
  type ActivatedSockets,
  activatedSockets,
  forgetActivation,
} from './systemd/socket-activation.ts'
import type { Upgrades } from './upgrade/upgrades.ts'

/** The listening sockets after a change of the settings. */
export interface ChangedSockets {
  readonly all: readonly ListeningSocket[]
  /** Of these, the new ones. */
  readonly added: readonly ListeningSocket[]
  /** Those before that are not wanted any more. */
  readonly dropped: readonly ListeningSocket[]
}

export interface ServerSocketsOptions {
  readonly pid: number
  /** The servers that may have the same sockets. */
  readonly upgrades: Upgrades
  readonly log: { info(text: string): void; warning(text: Coded): void }
}

/** The listening sockets of a server: opened here, of systemd, or of the server before. */
export class ServerSockets {
  readonly #options: ServerSocketsOptions
  #all: readonly ListeningSocket[] = []
  #activated: ActivatedSockets = { addresses: [], names: [] }

  constructor(options: ServerSocketsOptions) {
    this.#options = options
  }

  get all(): readonly ListeningSocket[] {
    return this.#all
  }

  /**
   * Listens for the first time.
   *
   * @throws ListenError
   */
  async open(settings: Settings, identity: Identity | null): Promise<void> {
    const inherited = this.#options.upgrades.adopt()
    this.#activated = this.#findActivated(settings, inherited)
    this.use(await this.#listen(settings, identity, inherited))
  }

  /**
   * The sockets that changed settings want: those that there are, and new ones, which listen
   * already. Then either call {@link use}, or close those that were added.
   *
   * @throws ListenError
   */
  changed(settings: Settings, identity: Identity | null): Promise<ChangedSockets> {
    return this.#listen(settings, identity, this.#all)
  }

  use({ all, dropped }: ChangedSockets): void {
    this.#all = all
    const { sharesSockets } = this.#options.upgrades
    for (const listener of dropped) listener.close(sharesSockets)
  }

  close(): void {
    const { sharesSockets } = this.#options.upgrades
    for (const listener of this.#all) listener.close(sharesSockets)
    // The last of those who share a socket file removes it; at the end it turns out who that is.
    if (!sharesSockets) this.#all = []
  }

  async #listen(
    settings: Settings,
    identity: Identity | null,
    have: readonly ListeningSocket[],
  ): Promise<ChangedSockets> {
    const addresses = this.#addresses(settings)
    const { kept, dropped, missing } = keptSockets(addresses, have)
    const added = await listenAt(missing, listenOptions(settings, identity))
    const all = [...kept, ...added].map((one) => this.#knownByPort(one, settings))
    return { all, added, dropped }
  }

  /**
   * A socket of systemd has no address in the settings, so that it redirects to HTTPS shows in its
   * port.
   */
  #knownByPort(listener: ListeningSocket, { httpRedirect }: Settings): ListeningSocket {
    const { requested, address } = listener
    if (address.kind !== 'tcp' || !requested.startsWith('fd://')) return listener
    const redirects = httpRedirect.some((text) => /([0-9]+)$/.exec(text)?.[1] === `${address.port}`)
    return redirects ? { ...listener, tls: false, redirects } : listener
  }

  /**
   * The sockets of systemd. A server that is upgraded hands them on as descriptors that no setting
   * names.
   */
  #findActivated(settings: Settings, inherited: readonly ListeningSocket[]): ActivatedSockets {
    const { pid, log } = this.#options
    const bind = new Set(settings.bind.map(formatSocketAddress))
    const handedOn = inherited.filter(
      ({ requested }) => requested.startsWith('fd://') && !bind.has(requested),
    )
    const addresses = handedOn.map(({ requested }) => parseBindAddress(requested))
    if (addresses.length > 0) {
      forgetActivation(process.env)
      return { addresses, names: [] }
    }
    return activatedSockets(process.env, pid, (text) => log.warning(text))
  }

  /** The addresses to listen on: with sockets from systemd only these, as in Gunicorn. */
  #addresses(settings: Settings): readonly BindAddress[] {
    const bind = bindAddresses(settings)
    const { addresses: activated, names } = this.#activated
    if (activated.length === 0) return bind
    const addresses = activated.map((address) => withTls(address, settings))
    const also = bind.filter((address) => address.kind === 'fd')
    const unused = bind.filter((address) => address.kind !== 'fd').map(formatBindAddress)
    const from = names.length === 0 ? '' : ` (${names.join(', ')})`
    this.#options.log.info(
      `Listening on ${plural(addresses.length, 'socket')} from systemd${from}` +
        (unused.length === 0 ? '' : `, not at ${unused.join(', ')} (bind)`),
    )
    return [...addresses, ...also]
  }
}

function listenOptions(settings: Settings, identity: Identity | null): ListenOptions {
  const { backlog, reusePort } = settings
  const pythons = helperPythons(process.env, settings)
  return { backlog, reusePort, pythons, files: socketFilesOf(settings, identity) }
}
