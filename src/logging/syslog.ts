/** Sends log entries to a syslog daemon. */
import { type Coded, coded } from '../messages/coded.ts'
import type { LogLevel } from './log-level.ts'
import { RelaySender } from './senders/relay-sender.ts'
import type { OnTrouble, Sender } from './senders/sender.ts'
import { StreamSender } from './senders/stream-sender.ts'
import { UdpSender } from './senders/udp-sender.ts'
import { type SyslogAddress, type SyslogFacility, syslogFacilities } from './syslog-address.ts'

/** RFC 3164 §4.1.1. */
const SEVERITIES: Readonly<Record<LogLevel, number>> = {
  debug: 7,
  info: 6,
  warning: 4,
  error: 3,
  critical: 2,
}

/** Daemons cut long messages, or refuse the datagram (65,507 bytes over UDP); in characters. */
const LONGEST = 16_000

export interface SyslogOptions {
  readonly address: SyslogAddress
  readonly facility: SyslogFacility
  /** In front of each message: `gunicorn.app.error`. */
  readonly tag: string
  /** Where a Python for unix datagram sockets is looked for. */
  readonly python: string | null
  readonly chdir: string
}

/**
 * Messages as Gunicorn writes them: `<11>gunicorn.app.error: [4711] text`, ended by a zero byte, or
 * by a line end over TCP. The daemon adds time and host.
 */
export class Syslog {
  readonly #sender: Sender
  readonly #facility: number
  readonly #tag: string
  /** What ends a message; a stream over TCP has one message a line (RFC 6587 §3.4.2). */
  readonly #lines: boolean

  constructor(options: SyslogOptions, onTrouble: (text: Coded) => void = () => {}) {
    const { address, facility, tag } = options
    this.#facility = syslogFacilities[facility] * 8
    this.#tag = tag
    this.#lines = address.kind === 'tcp'
    this.#sender = senderTo(options, (text) =>
      onTrouble(coded('MONO8004', `Cannot write to syslog: ${text}`)),
    )
  }

  /** @param pid the process that the entry is about */
  log(level: LogLevel, text: string, pid: number = process.pid): void {
    const cut = text.length > LONGEST ? `${text.slice(0, LONGEST)} [...]` : text
    const start = `<${this.#facility + SEVERITIES[level]}>${this.#tag}: [${pid}] `
    // Daemons write line ends within a message in this way.
    const end = this.#lines ? `${cut.replaceAll('\n', '#012')}\n` : `${cut}\0`
    this.#sender.send(start + end)
  }

  /** Sends what is kept. Waits a second for a daemon that does not take it. */
  close(): Promise<void> {
    return this.#sender.close()
  }
}

function senderTo({ address, python, chdir }: SyslogOptions, onTrouble: OnTrouble): Sender {
  if (address.kind === 'udp') return new UdpSender(address, onTrouble)
  if (address.kind === 'tcp') return new StreamSender(address, onTrouble)
  const { path, type } = address
  const relay = () => new RelaySender(path, { python, chdir }, onTrouble)
  if (type === 'dgram') return relay()
  return new UnixSender(path.startsWith('@') ? `\0${path.slice(1)}` : path, onTrouble, relay)
}

/** A unix socket of either type: a stream, or datagrams if the daemon does not read streams. */
class UnixSender implements Sender {
  #sender: Sender

  constructor(path: string, onTrouble: OnTrouble, relay: () => Sender) {
    const stream = new StreamSender({ path }, onTrouble, (code) => {
      if (code !== 'EPROTOTYPE') return false
      this.#sender = relay()
      for (const message of stream.takeKept()) this.#sender.send(message)
      return true
    })
    this.#sender = stream
  }

  send(message: string): void {
    this.#sender.send(message)
  }

  close(): Promise<void> {
    return this.#sender.close()
  }
}
