import { appendFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ResponseHeaders, StartResponse, WSGIEnvironment } from '../../../src/wsgi/types.ts'

// What every case shares, as in `cases/registry.py`: the register, notes that the test reads, and
// gates that the test opens.

/** An application; what it returns may be wrong on purpose. */
export type Case = (environ: WSGIEnvironment, startResponse: StartResponse) => unknown

/** The applications by the names that those in Python have. */
export const applications = new Map<string, Case>()

/** Registers an application. */
export function register(name: string, application: Case): void {
  applications.set(name, application)
}

/** The headers of most answers, and more. */
export function plainText(...more: ResponseHeaders): ResponseHeaders {
  return [['Content-Type', 'text/plain'], ...more]
}

/** A string's characters as bytes (latin-1). */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

/** The request's token; taken before a case changes its environ. */
export function tokenOf(environ: WSGIEnvironment): string {
  return String(environ.HTTP_X_TOKEN)
}

/** Appends one line to the notes of that token. */
export function note(token: string, text: string): void {
  appendFileSync(notePath(`${token}.notes`), `${text}\n`)
}

/** Where notes, gates and a case's own files are. */
export function notePath(name: string): string {
  return join(process.env.PEP3333_NOTES ?? '.', name)
}

/** Resolves when the test has opened that gate. */
export async function gate(token: string, name: string): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!existsSync(notePath(`${token}.${name}`))) {
    if (performance.now() > deadline) throw new Error(`the test did not open the gate ${name}`)
    await sleep(2)
  }
}

/** The whole request body, asked for by its length as every server must allow. */
export function readAll(environ: WSGIEnvironment): Promise<Uint8Array> {
  return environ['wsgi.input'].read(Number(environ.CONTENT_LENGTH || 0))
}

/**
 * An iterable over chunks that notes each of its `close()` calls, and each chunk it is asked for.
 */
export class Closing implements Iterator<unknown>, Iterable<unknown> {
  readonly #token: string
  readonly #chunks: Iterator<unknown>

  constructor(token: string, chunks: Iterable<unknown>) {
    this.#token = token
    this.#chunks = chunks[Symbol.iterator]()
  }

  [Symbol.iterator](): this {
    return this
  }

  next(): IteratorResult<unknown> {
    const step = this.#chunks.next()
    if (step.done !== true) note(this.#token, 'asked')
    return step
  }

  close(): void {
    note(this.#token, 'closed')
  }
}

/** The same for chunks that are waited for. */
export class AsyncClosing implements AsyncIterator<unknown>, AsyncIterable<unknown> {
  readonly #token: string
  readonly #chunks: AsyncIterator<unknown>

  constructor(token: string, chunks: AsyncIterable<unknown>) {
    this.#token = token
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<unknown>> {
    const step = await this.#chunks.next()
    if (step.done !== true) note(this.#token, 'asked')
    return step
  }

  close(): void {
    note(this.#token, 'closed')
  }
}
