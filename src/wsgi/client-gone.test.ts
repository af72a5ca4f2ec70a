import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { environOf } from '../../tests/support/call-application.ts'
import { Call } from './call.ts'
import { abortSignal, ClientGoneError, isAboutTheClient, whenClientGone } from './client-gone.ts'
import type { WSGIApplication, WSGIEnvironment } from './types.ts'

const ignored = () => {}

function callOf(app: WSGIApplication, environ: WSGIEnvironment) {
  const complaints: unknown[] = []
  const call = new Call(
    app,
    environ,
    {
      checkHead: () => ({ status: 200, contentLength: -1 }),
      respond: ignored,
      start: ignored,
      data: () => true,
      whenReady: ignored,
      finish: ignored,
      failed: ignored,
      broken: ignored,
      complain: (error) => complaints.push(error),
    },
    false,
  )
  return { call, complaints }
}

describe('a client that goes', () => {
  test('aborts the signal of an application that has not answered yet, also by way of a copied environ', () => {
    const signals: AbortSignal[] = []
    const environ = environOf()
    const { call } = callOf((given) => {
      signals.push(abortSignal(given), abortSignal({ ...given }))
      return new Promise(() => {})
    }, environ)
    call.run()
    expect(signals.map((signal) => signal.aborted)).toEqual([false, false])
    call.cancel()
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true])
    expect(signals[0]!.reason).toBeInstanceOf(ClientGoneError)
    // Asked too late, it knows as well.
    expect(abortSignal(environ).aborted).toBe(true)
  })

  test('after its response was complete it is nobody’s business', () => {
    const environ = environOf()
    let gone = 0
    const { call } = callOf((given, startResponse) => {
      whenClientGone(given, () => gone++)
      startResponse('200 OK', [])
      return []
    }, environ)
    call.run()
    call.cancel()
    expect(gone).toBe(0)
    expect(abortSignal(environ).aborted).toBe(false)
  })

  test('a callback that throws is told and keeps no other from being called', () => {
    let called = false
    const { call, complaints } = callOf((given) => {
      whenClientGone(given, () => {
        throw new Error('on purpose')
      })
      whenClientGone(given, () => {
        called = true
      })
      return new Promise(() => {})
    }, environOf())
    call.run()
    call.cancel()
    expect(called).toBe(true)
    expect(complaints.map(String)).toEqual(['Error: on purpose'])
  })

  test('where the server cannot tell, the signal is never aborted, and the environ has no variable for it', () => {
    const environ = environOf()
    expect(abortSignal(environ).aborted).toBe(false)
    const { call } = callOf(() => [], environ)
    call.run()
    expect(Object.keys(environ).filter((key) => /client|monoceros/.test(key))).toEqual([])
  })
})

test('what a wait rejects with that was aborted by the signal says no more than that the client is gone', async () => {
  const { call, complaints } = callOf(
    (environ) => sleep(60_000, [], { signal: abortSignal(environ) }),
    environOf(),
  )
  call.run()
  call.cancel()
  await sleep(0)
  expect(complaints).toEqual([])
})

test('an error is about the client by its code or by what caused it', () => {
  const abort = (cause?: unknown) =>
    Object.assign(new Error('aborted', { cause }), { name: 'AbortError' })
  const looped = abort()
  looped.cause = looped
  const ring = abort(abort())
  ;(ring.cause as Error).cause = ring
  const wrapped = new Error('the upload failed', { cause: abort(new ClientGoneError()) })
  for (const error of [
    new ClientGoneError(),
    abort(new ClientGoneError()),
    { code: 'input-broken' },
    wrapped,
  ])
    expect(isAboutTheClient(error)).toBe(true)
  const hostile = {
    get code() {
      throw new Error('on purpose')
    },
  }
  for (const other of [
    abort(),
    abort(abort()),
    looped,
    ring,
    hostile,
    null,
    undefined,
    'client-gone',
  ])
    expect(isAboutTheClient(other)).toBe(false)
})

test('a stream that an application gives when its client has gone is destroyed unread', async () => {
  const stream = Readable.from([Buffer.from('nobody reads this')])
  let give: (body: Readable) => void = () => {}
  const { call, complaints } = callOf(
    () =>
      new Promise((resolve) => {
        give = resolve
      }),
    environOf(),
  )
  call.run()
  call.cancel()
  give(stream)
  await new Promise((resolve) => stream.once('close', resolve))
  expect(stream.destroyed).toBe(true)
  expect(complaints).toEqual([])
})
