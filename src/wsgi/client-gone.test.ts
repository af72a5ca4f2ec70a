import { describe, expect, test } from 'vitest'
import { environOf } from '../../tests/support/call-application.ts'
import { Call } from './call.ts'
import { abortSignal, ClientGoneError, whenClientGone } from './client-gone.ts'
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
