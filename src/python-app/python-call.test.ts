import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { environOf, type TestRequest } from '../../tests/support/call-application.ts'
import { makeSpool } from '../../tests/support/spool.ts'
import { waitFor } from '../../tests/support/wait-for.ts'
import { Span } from '../bytes/span.ts'
import { KEPT, REFUSED, TAKEN, type Task, type TaskHandle } from '../runtimes/runtime.ts'
import { PythonSpans } from '../traces/python-spans.ts'
import type { StartResponse, WSGIBody } from '../wsgi/types.ts'
import { EnvironEncoder } from './environ-encoder.ts'
import type { PythonBody } from './python-body.ts'
import { PythonCall } from './python-call.ts'

const WINDOW = 64 * 1024

/** A call whose worker is the test. */
const whole = (bytes: Buffer) => new Span().lend(bytes, 0, bytes.length, 0)

function call(request: TestRequest = {}, startResponse?: StartResponse, memory = 1000) {
  const directory = mkdtempSync(join(tmpdir(), 'monoceros-call-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const said: string[] = []
  const handle: TaskHandle = {
    crowded: false,
    blocking: false,
    cancel: () => said.push('cancel'),
    sendBody: (chunk, end) => said.push(`body ${chunk.length}${end ? ' end' : ''}`),
    abortBody: () => said.push('abort'),
    grant: (bytes) => said.push(`grant ${bytes}`),
  }
  const state = { task: null as Task | null, over: 0 }
  const heads: unknown[] = []
  const answered = new Promise<WSGIBody>((resolve, reject) => {
    const made = new PythonCall(
      {
        encoder: new EnvironEncoder(),
        requestBuffering: true,
        bodyStore: makeSpool(directory, { bodyMemory: memory }),
        window: WINDOW,
        spans: new PythonSpans('shop:app', '1.0.0'),
        multiprocess: () => false,
        runtime: () => ({
          waiting: 0,
          submit: (task) => {
            state.task = task
            return handle
          },
        }),
        over: () => {
          state.over++
        },
      },
      environOf(request),
      startResponse ??
        ((status, headers) => {
          heads.push([status, headers])
          return () => Promise.resolve()
        }),
      { resolve, reject },
    )
    made.begin()
  })
  answered.catch(() => {})
  /** A HEAD as the worker sends it. */
  const head = (lines: string, body: Buffer, ended: boolean) => {
    const bytes = Buffer.concat([Buffer.from(lines, 'latin1'), body])
    return [
      bytes,
      state.task!.responseHead(
        new Span().set(bytes, 0, lines.length),
        new Span().lend(bytes, lines.length, bytes.length, 0),
        ended,
      ),
    ] as const
  }
  return { state, said, heads, answered, head, directory }
}

describe('a call of a Python application', () => {
  it('gives a whole response as an array of one, of memory of its own', async () => {
    const { heads, head, answered, state } = call()
    const [bytes, outcome] = head(
      '200 OK\r\nA: 1\r\nB:\r\nC: a: b\r\nD: \xe9\r\nContent-Length: 4\r\n',
      Buffer.from('body'),
      true,
    )
    expect(outcome).toBe(TAKEN)
    bytes.fill(0)
    expect(await answered).toEqual([Buffer.from('body')])
    expect(heads).toEqual([
      [
        '200 OK',
        [
          ['A', '1'],
          ['B', ''],
          ['C', 'a: b'],
          ['D', '\xe9'],
          ['Content-Length', '4'],
        ],
      ],
    ])
    expect(state.over).toBe(1)
  })

  it('grants what has been taken, not what has come', async () => {
    const { state, said, head, answered } = call()
    head('200 OK\r\n', Buffer.alloc(0), false)
    const body = (await answered) as PythonBody
    const piece = Buffer.alloc(16 * 1024, 'x')
    for (let i = 0; i < 4; i++) expect(state.task!.responseData(whole(piece))).toBe(false)
    expect(said).toEqual([])
    await body.next()
    expect(said).toEqual([])
    await body.next()
    expect(said).toEqual([`grant ${WINDOW / 2}`])
  })

  it('copies small pieces and keeps the memory of large ones', async () => {
    const { state, head, answered } = call()
    head('200 OK\r\n', Buffer.alloc(0), false)
    const body = (await answered) as PythonBody
    const large = Buffer.alloc(40_000, 'l')
    const small = Buffer.alloc(10, 's')
    expect(state.task!.responseData(whole(large))).toBe(true)
    expect(state.task!.responseData(whole(small))).toBe(false)
    small.fill(0)
    expect((await body.next()).value!.length).toBe(40_000)
    expect(String((await body.next()).value)).toBe('ssssssssss')
    const other = call()
    expect(other.head('200 OK\r\n', large, false)[1]).toBe(KEPT)
  })

  it('answers reads that are begun at once in their order, and ends or fails after the last piece', async () => {
    const { state, head, answered } = call()
    head('200 OK\r\n', Buffer.alloc(0), false)
    const body = (await answered) as PythonBody
    const reads = [body.next(), body.next(), body.next()]
    state.task!.responseData(whole(Buffer.from('one')))
    state.task!.responseData(whole(Buffer.from('two')))
    state.task!.responseEnd(true)
    const results = await Promise.allSettled(reads)
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(await body.next()).toEqual({ done: true, value: undefined })
    expect(state.over).toBe(1)
  })

  it('is complete with its last byte, and does not cancel what the worker still does then', async () => {
    const { state, said, head, answered } = call()
    head('200 OK\r\nContent-Length: 6\r\n', Buffer.from('one'), false)
    const body = (await answered) as PythonBody
    expect(state.over).toBe(0)
    state.task!.responseData(whole(Buffer.from('two')))
    expect(state.over).toBe(1)
    expect([String((await body.next()).value), String((await body.next()).value)]).toEqual([
      'one',
      'two',
    ])
    expect(await body.next()).toEqual({ done: true, value: undefined })
    body.close()
    state.task!.responseEnd(true)
    expect(said).toEqual([])
    expect(state.over).toBe(1)
  })

  it('is cancelled once when its body is not wanted, and takes no harm from what still comes', async () => {
    const { state, said, head, answered } = call()
    head('200 OK\r\n', Buffer.from('x'), false)
    const body = (await answered) as PythonBody
    await body.next()
    const waiting = body.next()
    body.close()
    await body.return()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(said).toEqual(['cancel'])
    state.task!.released()
    expect(state.over).toBe(1)
  })

  it('refuses a head that is not taken', async () => {
    const refusal = new Error('not this one')
    const { state, head, answered } = call({}, () => {
      throw refusal
    })
    expect(head('200 OK\r\n', Buffer.alloc(0), false)[1]).toBe(REFUSED)
    await expect(answered).rejects.toBe(refusal)
    expect(state.over).toBe(1)
  })

  it('keeps a large body in a file until the task has ended', async () => {
    const { state, head, answered, directory } = call({ body: 'x'.repeat(5000) })
    await waitFor('the task', () => state.task !== null)
    const { body } = state.task!
    expect(body).toMatchObject({ kind: 'file', length: 5000 })
    const left = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0)
    const before = left()
    head('200 OK\r\nContent-Length: 0\r\n', Buffer.alloc(0), true)
    expect(await answered).toEqual([])
    if (process.platform === 'linux') await waitFor('the file to be closed', () => left() < before)
    expect(readdirSync(directory)).toEqual([])
  })

  it('keeps a small body in memory', async () => {
    const { state } = call({ body: 'small' })
    await waitFor('the task', () => state.task !== null)
    expect(state.task!.body).toMatchObject({ kind: 'whole', length: 5 })
  })
})
