import { isDeepStrictEqual } from 'node:util'
import { type Coded, coded } from '../messages/coded.ts'
import type { TlsMaterial } from '../transport/tls/tls-material.ts'
import type { LoadedPair } from './load-pairs.ts'
import { type LoadedTls, loadTls, type TlsSettings } from './load-tls.ts'
import { type TicketKey, ticketKey } from './ticket-key.ts'
import { nextWarning, validityWarning } from './validity.ts'
import { WatchedFiles } from './watched-files.ts'

/** Where it says what happens to certificates. */
export interface CertificateLog {
  info(text: string): void
  warning(text: Coded): void
  error(text: Coded): void
}

export interface ServedTlsOptions {
  readonly settings: TlsSettings
  readonly log: CertificateLog
  /** The one that serves until this one does; its session tickets stay valid if they may. */
  readonly before?: ServedTls | null
  /** Milliseconds since 1970; for tests. */
  readonly now?: () => number
}

/** How often files, the key of tickets and the validity are looked at, in milliseconds. */
const LOOK_MS = 1000
/** Files that are written one after the other have this long until the last one must fit. */
const PATIENCE_MS = 10_000

/**
 * The TLS of one version of the settings: what acceptors are given for it, kept up to date while
 * they serve. The files are read again when they change, the key of session tickets is replaced,
 * and the end of a certificate is announced.
 *
 * @example
 * const tls = new ServedTls({ settings, log })
 * tls.watch((material) => acceptors.useTls(material))
 */
export class ServedTls {
  readonly #options: ServedTlsOptions
  readonly #files: WatchedFiles
  readonly #now: () => number
  #loaded: LoadedTls
  #key: TicketKey
  #material: TlsMaterial
  /** When there is more to say of each certificate, by its file. */
  #warnAt = new Map<string, number | null>()
  /**
   * What the files were like when they were read, and when they were last looked at. They are read
   * once more after the start, because they may have changed in the meantime.
   */
  #readAs = ''
  #seenAs = ''
  #changedAt = 0
  #timer: NodeJS.Timeout | undefined
  #changed: (material: TlsMaterial) => void = () => {}
  #looking: Promise<void> | null = null

  /** @throws CertificateError */
  constructor(options: ServedTlsOptions) {
    const { settings, before } = options
    this.#options = options
    this.#now = options.now ?? Date.now
    const { certfile, keyfile, keyPassphraseFile, caCerts } = settings
    const also = [keyPassphraseFile, caCerts].filter((file) => file !== null)
    this.#files = new WatchedFiles([...certfile, ...keyfile, ...also])
    this.#loaded = loadTls(settings)
    this.#key = ticketKey(before ? before.#key : null, this.#loaded.material, this.#now())
    this.#material = { ...this.#loaded.material, ticketKeys: this.#key.bytes }
    this.#warnOfFiles(this.#loaded.warnings)
    this.#warnOfValidity(this.#loaded.pairs)
  }

  /** What an acceptor that starts now is given. */
  get material(): TlsMaterial {
    return this.#material
  }

  /**
   * Begins to look after the files.
   *
   * @param changed is called with what acceptors must use from now on
   */
  watch(changed: (material: TlsMaterial) => void): void {
    this.#changed = changed
    this.#timer = setInterval(() => void this.look(), LOOK_MS)
    this.#timer.unref()
    void this.look()
  }

  /** It is not in use any more. */
  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /**
   * Reads the files again, for a reload.
   *
   * @returns makes them the ones in use
   * @throws CertificateError: those in use stay
   */
  read(): () => void {
    const loaded = loadTls(this.#options.settings)
    return () => this.#use(loaded)
  }

  /** Looks whether something is to do, unless it does so already. */
  look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    await this.#lookAtFiles()
    this.#renewTicketKey()
    this.#lookAtValidity()
  }

  async #lookAtFiles(): Promise<void> {
    const seen = await this.#files.look()
    const now = this.#now()
    if (seen !== this.#seenAs) {
      // It may be in the middle of a change: waits until the next look.
      this.#seenAs = seen
      this.#changedAt = now
      return
    }
    if (seen === this.#readAs) return
    try {
      const loaded = loadTls(this.#options.settings)
      this.#readAs = seen
      this.#use(loaded)
    } catch (error) {
      // The other file may still be on its way.
      if (now - this.#changedAt < PATIENCE_MS) return
      this.#readAs = seen
      this.#options.log.error(
        coded(
          'MONO3211',
          `Certificate files have changed, and cannot be used: ${(error as Error).message}. ` +
            'The previous certificates stay in use',
        ),
      )
    }
  }

  #use(loaded: LoadedTls): void {
    const before = this.#loaded
    this.#loaded = loaded
    if (isDeepStrictEqual(before.material, loaded.material)) return
    const { log } = this.#options
    for (const pair of loaded.pairs) {
      const is = (other: LoadedPair) => other.file === pair.file && other.cert === pair.cert
      if (before.pairs.some(is)) continue
      log.info(`Using the new certificate in ${pair.file}, valid until ${dayOf(pair.validTo)}`)
    }
    const news = loaded.warnings.filter((text) => !before.warnings.includes(text))
    this.#warnOfFiles(news)
    this.#warnOfValidity(loaded.pairs)
    this.#publish()
  }

  #renewTicketKey(): void {
    if (this.#currentKey() !== this.#key) this.#publish()
  }

  #currentKey(): TicketKey {
    return ticketKey(this.#key, this.#loaded.material, this.#now())
  }

  #publish(): void {
    this.#key = this.#currentKey()
    this.#material = { ...this.#loaded.material, ticketKeys: this.#key.bytes }
    this.#changed(this.#material)
  }

  #warnOfFiles(warnings: readonly Coded[]): void {
    for (const text of warnings) this.#options.log.warning(text)
  }

  #warnOfValidity(pairs: readonly LoadedPair[]): void {
    const now = this.#now()
    this.#warnAt = new Map(pairs.map((pair) => [pair.file, nextWarning(pair, now)]))
    for (const pair of pairs) {
      const text = validityWarning(pair, now)
      if (text !== null) this.#options.log.warning(text)
    }
  }

  #lookAtValidity(): void {
    const now = this.#now()
    const due = this.#loaded.pairs.filter(({ file }) => {
      const at = this.#warnAt.get(file) ?? null
      return at !== null && now >= at
    })
    for (const pair of due) {
      this.#warnAt.set(pair.file, nextWarning(pair, now))
      const text = validityWarning(pair, now)
      if (text !== null) this.#options.log.warning(text)
    }
  }
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}
