/** A client of StatsD and DogStatsD daemons. */
import { RelaySender } from '../logging/senders/relay-sender.ts'
import type { OnTrouble, Sender } from '../logging/senders/sender.ts'
import { UdpSender } from '../logging/senders/udp-sender.ts'
import { parseStatsdAddress } from '../logging/statsd-address.ts'
import { type Coded, coded } from '../messages/coded.ts'

/** Metrics wait at most this long, in milliseconds. */
const DELAY_MS = 100
/** The most bytes in a datagram, so that it fits into one packet of an Ethernet. */
const LARGEST_DATAGRAM = 1400

/** The settings of a client, with the names that they have in the settings table. */
export interface StatsdSettings {
  readonly statsdHost: string | null
  readonly statsdPrefix: string
  readonly dogstatsdTags: string
  readonly python: string | null
  readonly chdir: string
}

/**
 * Makes the client that the settings ask for, if they do.
 *
 * @param onTrouble called when the daemon's address cannot be used
 */
export function openStatsd(
  settings: StatsdSettings,
  onTrouble: (text: Coded) => void,
): StatsdClient | null {
  const { statsdHost, statsdPrefix, dogstatsdTags, python, chdir } = settings
  const address = statsdHost === null ? null : parseStatsdAddress(statsdHost)
  if (address === null) return null
  const trouble: OnTrouble = (text) => onTrouble(coded('MONO8101', `Cannot send metrics: ${text}`))
  const sender =
    address.kind === 'udp'
      ? new UdpSender(address, trouble)
      : new RelaySender(address.path, { python, chdir }, trouble)
  return new StatsdClient(sender, { prefix: statsdPrefix, tags: dogstatsdTags })
}

/**
 * Collects metrics and sends several in each datagram, one a line. What is counted under one name
 * is added up in between; durations are sent one by one, so that the daemon can compute quantiles.
 *
 * @example
 * const client = new StatsdClient(sender, { prefix: 'shop', tags: 'env:prod' })
 * client.count('requests') // shop.requests:1|c|@1.0|#env:prod
 */
export class StatsdClient {
  readonly #sender: Sender
  readonly #prefix: string
  readonly #tags: string
  readonly #counts = new Map<string, number>()
  /** Lines that are complete, each with its line end. */
  #lines = ''
  #timer: NodeJS.Timeout | null = null
  #closed = false
  readonly #atExit = () => this.flush()

  constructor(sender: Sender, { prefix, tags }: { prefix: string; tags: string }) {
    this.#sender = sender
    this.#prefix = prefix === '' ? '' : `${prefix.replace(/\.+$/, '')}.`
    this.#tags = tags === '' ? '' : `|#${tags}`
    process.on('exit', this.#atExit)
  }

  /** Adds to a counter. */
  count(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by)
    this.#timer ??= setTimeout(() => this.flush(), DELAY_MS).unref()
  }

  /** A duration in milliseconds. */
  timer(name: string, milliseconds: number): void {
    this.#add(name, `${milliseconds}|ms`)
  }

  /** The value of something that goes up and down. */
  gauge(name: string, value: number): void {
    this.#add(name, `${value}|g`)
  }

  /** One of many values, of which the daemon computes the distribution. */
  histogram(name: string, value: number): void {
    this.#add(name, `${value}|h`)
  }

  /** Sends what is collected. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    for (const [name, value] of this.#counts) this.#append(name, `${value}|c|@1.0`)
    this.#counts.clear()
    this.#sendLines()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    process.off('exit', this.#atExit)
    this.flush()
    await this.#sender.close()
  }

  #add(name: string, value: string): void {
    this.#append(name, value)
    this.#timer ??= setTimeout(() => this.flush(), DELAY_MS).unref()
  }

  #append(name: string, value: string): void {
    const line = `${this.#prefix}${name}:${value}${this.#tags}\n`
    if (this.#lines.length + line.length > LARGEST_DATAGRAM) this.#sendLines()
    this.#lines += line
  }

  #sendLines(): void {
    if (this.#lines !== '') this.#sender.send(this.#lines.slice(0, -1))
    this.#lines = ''
  }
}
