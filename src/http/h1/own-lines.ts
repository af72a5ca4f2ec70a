import { httpDate } from '../date.ts'

let date = ''
let line = ''

/** The `Date` field line for now: the same string within a second. */
export function dateLine(): string {
  const now = httpDate()
  if (now !== date) {
    date = now
    line = `Date: ${now}\r\n`
  }
  return line
}

let name = ''
let server = ''

/** The `Server` field line; '' for an empty name. One server of a process has one name. */
export function serverLine(serverName: string): string {
  if (serverName !== name) {
    name = serverName
    server = serverName === '' ? '' : `Server: ${serverName}\r\n`
  }
  return server
}
