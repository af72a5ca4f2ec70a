/** Where a syslog daemon listens. */
export type SyslogAddress =
  | { readonly kind: 'udp'; readonly host: string; readonly port: number }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | {
      readonly kind: 'unix'
      /** `@name` is an abstract socket. */
      readonly path: string
      /** Null: whichever the daemon has. */
      readonly type: 'dgram' | 'stream' | null
    }

/** The port of syslog (RFC 5426 §3.3). */
const PORT = 514

/** Gunicorn's default. */
export const defaultSyslogAddress =
  process.platform === 'darwin'
    ? 'unix:///var/run/syslog'
    : process.platform === 'freebsd'
      ? 'unix:///var/run/log'
      : process.platform === 'openbsd'
        ? 'unix:///dev/log'
        : 'udp://localhost:514'

/**
 * Reads `udp://HOST:PORT`, `tcp://HOST:PORT`, `unix://PATH`, `unix://PATH#dgram` or
 * `unix://PATH#stream`. Host and port may be left out; IPv6 addresses are in brackets.
 *
 * @returns null if it is none of these
 */
export function parseSyslogAddress(text: string): SyslogAddress | null {
  const unix = /^unix:\/\/([^#]+)(?:#(dgram|stream))?$/.exec(text)
  if (unix !== null) {
    const type = unix[2] as 'dgram' | 'stream' | undefined
    return { kind: 'unix', path: unix[1]!, type: type ?? null }
  }
  const ip = /^(udp|tcp):\/\/(?:\[([^\]]*)\]|([^:[\]]*))(?::([0-9]{1,5}))?$/i.exec(text)
  if (ip === null) return null
  const port = ip[4] === undefined ? PORT : Number(ip[4])
  if (port < 1 || port > 65535) return null
  const host = (ip[2] ?? ip[3] ?? '').toLowerCase()
  return {
    kind: ip[1]!.toLowerCase() as 'udp' | 'tcp',
    host: host === '' ? 'localhost' : host,
    port,
  }
}

/** The numbers of syslog's facilities (RFC 3164 §4.1.1), with the names that Gunicorn accepts. */
export const syslogFacilities = {
  auth: 4,
  authpriv: 10,
  cron: 9,
  daemon: 3,
  ftp: 11,
  kern: 0,
  lpr: 6,
  mail: 2,
  news: 7,
  security: 4,
  syslog: 5,
  user: 1,
  uucp: 8,
  local0: 16,
  local1: 17,
  local2: 18,
  local3: 19,
  local4: 20,
  local5: 21,
  local6: 22,
  local7: 23,
} as const

/** A name of {@link syslogFacilities}. */
export type SyslogFacility = keyof typeof syslogFacilities
