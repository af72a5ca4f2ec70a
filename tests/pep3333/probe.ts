import { randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RawConnection, type RawResponse } from '../support/raw-client.ts'
import type { RunningServer } from '../support/running-server.ts'
import { waitFor } from '../support/wait-for.ts'

/** A request for one of the applications in `cases/*.py`. */
export interface CaseRequest {
  method?: string
  target?: string
  version?: '1.0' | '1.1'
  /** The Host field; null sends none. */
  host?: string | null
  headers?: readonly (readonly [name: string, value: string])[]
  /** Sent with a Content-Length, unless `framed` says that the bytes bring their own framing. */
  body?: Buffer | string
  framed?: boolean
}

/**
 * What a case has in hand: one server, a token of its own, the notes that the application writes
 * under it and the gates that the application waits at.
 */
export class Probe {
  readonly server: RunningServer
  readonly token: string = randomUUID()
  readonly #directory: string
  readonly #form: string | undefined

  /**
   * @param directory Where applications write notes and look for gates (`PEP3333_NOTES`).
   * @param form Which form of the applications is asked for, where there is more than one
   * (`X-Form`).
   */
  constructor(server: RunningServer, directory: string, form?: string) {
    this.server = server
    this.#directory = directory
    this.#form = form
  }

  /** The bytes of a request for an application. */
  request(app: string, options: CaseRequest = {}): Buffer {
    const {
      method = 'GET',
      target = '/',
      version = '1.1',
      host = 'case.example',
      headers = [],
    } = options
    const body =
      typeof options.body === 'object' ? options.body : Buffer.from(options.body ?? '', 'latin1')
    const lines = [`${method} ${target} HTTP/${version}`]
    if (host !== null) lines.push(`Host: ${host}`)
    lines.push(`X-Case: ${app}`, `X-Token: ${this.token}`)
    if (this.#form !== undefined) lines.push(`X-Form: ${this.#form}`)
    for (const [name, value] of headers) lines.push(`${name}: ${value}`)
    if (options.body !== undefined && !options.framed) lines.push(`Content-Length: ${body.length}`)
    return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body])
  }

  connect(): Promise<RawConnection> {
    return RawConnection.open(this.server)
  }

  /** One request on a connection of its own. */
  async ask(app: string, options: CaseRequest = {}): Promise<RawResponse> {
    const connection = await this.connect()
    try {
      return await connection.request(this.request(app, options), options.method)
    } finally {
      connection.close()
    }
  }

  /** The same; the interim responses come before the final one. */
  async askAll(app: string, options: CaseRequest = {}): Promise<RawResponse[]> {
    const connection = await this.connect()
    try {
      const responses = [await connection.request(this.request(app, options), options.method)]
      while (responses.at(-1)!.status < 200)
        responses.push(await connection.readResponse(options.method))
      return responses
    } finally {
      connection.close()
    }
  }

  /** The JSON that an application answered with; an error when the answer is something else. */
  async report<T>(app: string, options: CaseRequest = {}): Promise<T> {
    const response = await this.ask(app, options)
    if (response.status !== 200) throw new NoReport(summary(response))
    return JSON.parse(response.text) as T
  }

  /** The environ's strings, as the application saw them. */
  environ(options: CaseRequest = {}): Promise<Record<string, string>> {
    return this.report('environ_strings', options)
  }

  /** What the application noted so far, a line each. */
  notes(): string[] {
    try {
      return readFileSync(join(this.#directory, `${this.token}.notes`), 'utf8')
        .split('\n')
        .slice(0, -1)
    } catch {
      return []
    }
  }

  /** Waits until the application has noted that. */
  async noted(text: string): Promise<void> {
    await waitFor(`the note ${text}`, () => this.notes().includes(text))
  }

  /** Lets the application pass that gate. */
  open(gate: string): void {
    writeFileSync(join(this.#directory, `${this.token}.${gate}`), '')
  }

  /**
   * Resolves when the worker has dealt with everything before: it answers another request, and with
   * one worker of one thread it cannot do so earlier.
   */
  async settled(): Promise<void> {
    const other = new Probe(this.server, this.#directory)
    await other.ask('counted')
  }

  /**
   * How often close() was called: waits for the first time, and for the worker to be done with the
   * request.
   */
  async closes(): Promise<string> {
    const count = () => this.notes().filter((note) => note === 'closed').length
    await this.settled()
    if (count() === 0) await waitFor('close()', count, 3_000).catch(() => {})
    await this.settled()
    return ['never closed', 'closed once', 'closed twice'][count()] ?? `closed ${count()} times`
  }

  /** Whether the server's log holds that text, now or within 3 seconds. */
  async logged(text: string): Promise<string> {
    const found = await waitFor('the log', () => this.server.log().includes(text), 3_000).catch(
      () => false,
    )
    return found ? 'logged' : 'not logged'
  }
}

/**
 * The line for an answer that may not be one: what a strict client could not read is a result as
 * well, when it says why. A connection that stays silent is none: it fails the case.
 */
export async function outcome(line: Promise<string>): Promise<string> {
  try {
    return await line
  } catch (error) {
    if (error instanceof NoReport) return error.message
    const [reason, unread] =
      error instanceof Error ? error.message.split('; received and not understood: ') : []
    if (reason === undefined || unread === undefined || reason.startsWith('waited')) throw error
    return reason.startsWith('the connection ended') ? 'no answer' : `malformed answer: ${reason}`
  }
}

/** An application that was to report did not: its message is the summary of what came instead. */
export class NoReport extends Error {}

/**
 * A response in one line: status and body, and whether it broke off. The page of a server error is
 * the server's own, so only its status counts.
 */
export function summary(response: RawResponse): string {
  if (/^(Internal Server Error|Bad Request|Not Found)$/.test(response.reason))
    return String(response.status)
  return `${response.status} ${response.reason}: ${content(response)}`
}

/** The body in quotes (its length when it is long), and whether it broke off. */
export function content(response: RawResponse): string {
  const text = response.body.toString('latin1')
  const body = text.length > 80 ? `${text.length} bytes` : JSON.stringify(text)
  return response.complete ? body : `${body}, broken off`
}

/** The 256 byte values in order, that many times. */
export function everyByte(times: number): Buffer {
  return Buffer.alloc(256 * times, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)))
}

/** How a response's end is marked: a length, chunks, or the end of the connection. */
export function framing(response: RawResponse): string {
  switch (response.framing) {
    case 'length':
      return `Content-Length ${response.header('Content-Length')}`
    case 'chunked':
      return 'chunked'
    case 'close':
      return 'until the connection closes'
    case 'none':
      return 'no body'
  }
}

/** Reads from the connection until that text has come. */
export async function readUntil(connection: RawConnection, text: string): Promise<string> {
  let seen = ''
  while (!seen.includes(text)) {
    const bytes = await connection.readSome()
    if (bytes.length === 0) throw new Error(`the connection ended before ${text}; it gave ${seen}`)
    seen += bytes.toString('latin1')
  }
  return seen
}
