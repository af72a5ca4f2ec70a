import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { StartResponse } from '../../../src/wsgi/types.ts'
import { jsonAnswer } from './environ.ts'
import { argumentsOf } from './input-stream.ts'
import {
  AsyncClosing,
  bytes,
  Closing,
  gate,
  note,
  plainText,
  readAll,
  register,
  tokenOf,
} from './registry.ts'

// PEP 3333, "The start_response() Callable" and "Error Handling".

/** An error of the application. */
class CaseError extends Error {
  override readonly name = 'CaseError'
}

/** Notes what kind of error the server threw into the application. */
function noteError(token: string, error: unknown): void {
  note(token, `raised ${(error as Error).name}`)
}

/** Calls startResponse with the arguments that the request body holds as a Python literal. */
register('called_with', async (environ, startResponse) => {
  const given = await argumentsOf(readAll(environ))
  try {
    startResponse(...(given as Parameters<StartResponse>))
  } catch (error) {
    noteError(tokenOf(environ), error)
    throw error
  }
  note(tokenOf(environ), 'accepted')
  return [bytes('started')]
})

/**
 * An error thrown by startResponse can still be handled by the application, because it is still
 * running.
 */
register('recovers_from_bad_headers', (_environ, startResponse) => {
  try {
    startResponse('200 OK', [
      ['Bad', 'a\r\nInjected: b'],
      ['Left-Over', '1'],
    ])
  } catch (error) {
    startResponse('400 Recovered', plainText(), error)
    return [bytes('recovered')]
  }
  return [bytes('not noticed')]
})

/** A body without ever calling startResponse. */
register('never_calls', () => [bytes('no head for this')])

/** Neither a head nor a body. */
register('never_calls_nor_yields', () => [])

/** A generator: nothing of it runs before the server iterates. */
register('calls_in_first_iteration', function* (_environ, startResponse) {
  startResponse('200 OK', plainText(['X-When', 'first iteration']))
  yield bytes('late head')
})

/** An empty chunk is no body yet, so the head may still follow it. */
register('calls_after_empty_chunk', function* (_environ, startResponse) {
  yield bytes('')
  startResponse('200 OK', plainText(['X-When', 'after an empty chunk']))
  yield bytes('late head')
})

/** Too late: the body has begun. */
register('calls_after_first_chunk', function* (_environ, startResponse) {
  yield bytes('body before head')
  startResponse('200 OK', plainText())
})

/** A second call without an error. */
register('calls_twice', (environ, startResponse) => {
  startResponse('200 First', plainText(['X-Call', 'first']))
  try {
    startResponse('200 Second', plainText(['X-Call', 'second']))
  } catch (error) {
    noteError(tokenOf(environ), error)
    throw error
  }
  return [bytes('called twice')]
})

/** A second call whose excInfo is null is one without it. */
register('calls_twice_with_none', (environ, startResponse) => {
  startResponse('200 First', plainText(), null)
  try {
    startResponse('200 Second', plainText(), null)
  } catch (error) {
    noteError(tokenOf(environ), error)
    throw error
  }
  return [bytes('called twice')]
})

/** A first call that threw an error still counts as a call. */
register('calls_again_after_refusal', (environ, startResponse) => {
  try {
    startResponse('200 OK', [['Bad', 'a\nb']])
  } catch {
    note(tokenOf(environ), 'first refused')
  }
  try {
    startResponse('200 Second', plainText())
  } catch (error) {
    noteError(tokenOf(environ), error)
    throw error
  }
  return [bytes('called again')]
})

/** Nothing has been sent, so excInfo replaces status and every header, the Content-Length too. */
register('replaces_before_head', (_environ, startResponse) => {
  startResponse('200 OK', [
    ['Content-Type', 'text/html'],
    ['Content-Length', '1000'],
    ['X-First', '1'],
  ])
  try {
    throw new CaseError('before the head')
  } catch (error) {
    startResponse('503 Replaced', plainText(['X-Second', '2']), error)
  }
  return [bytes('replaced')]
})

/** An empty chunk must not have sent the head: it can still be replaced while iterating. */
register('replaces_after_empty_chunk', function* (_environ, startResponse) {
  startResponse('200 OK', [
    ['Content-Type', 'text/html'],
    ['X-First', '1'],
  ])
  yield bytes('')
  try {
    throw new CaseError('after an empty chunk')
  } catch (error) {
    startResponse('503 Replaced', plainText(['X-Second', '2']), error)
  }
  yield bytes('replaced')
})

/** excInfo in the first call is a call like any other. */
register('exc_info_first', (_environ, startResponse) => {
  startResponse('500 Handled', plainText(), new CaseError('at once'))
  return [bytes('handled')]
})

/**
 * The head has been sent: startResponse must throw, and should throw the very error it was given.
 */
register('exc_info_after_head', async function* (environ, startResponse) {
  const token = tokenOf(environ)
  startResponse('200 OK', plainText())
  yield bytes('sent')
  await gate(token, 'seen')
  const error = new CaseError('after the head')
  try {
    startResponse('500 Too Late', plainText(), error)
  } catch (thrown) {
    note(token, thrown === error ? 'raised the same error' : `raised ${(thrown as Error).name}`)
    throw thrown
  }
  note(token, 'raised nothing')
  yield bytes('error page')
})

let kept: WeakRef<Error> | undefined

/** Gives an excInfo that is then watched through a weak reference. */
register('exc_info_kept', (_environ, startResponse) => {
  const error = new CaseError('to be let go')
  kept = new WeakRef(error)
  startResponse('200 OK', plainText(), error)
  return [bytes('given')]
})

/** Whether the error of the earlier request is gone when the garbage is collected. */
register('exc_info_let_go', (_environ, startResponse) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  setFlagsFromString('--no-expose-gc')
  collect()
  return jsonAnswer(
    startResponse,
    kept !== undefined && kept.deref() === undefined ? 'let go' : 'still held',
  )
})

/** What startResponse returns. */
register('returns_write', (_environ, startResponse) => {
  const write: unknown = startResponse('200 OK', plainText(['Content-Length', '8']))
  return [bytes(typeof write === 'function' ? 'callable' : 'not call')]
})

/**
 * Calls startResponse and then waits, so that the test can see whether the head went out by itself.
 */
register('head_before_body', async function* (environ, startResponse) {
  const token = tokenOf(environ)
  startResponse('200 OK', plainText())
  yield bytes('')
  note(token, 'started')
  await gate(token, 'looked')
  yield bytes('body')
})

/** Repeated headers, odd but legal names, and a value of every printable latin-1 character. */
register('keeps_headers', (_environ, startResponse) => {
  const printable = Array.from({ length: 256 }, (_, code) => code)
    .filter((code) => (code > 0x20 && code < 0x7f) || code >= 0xa0)
    .map((code) => String.fromCharCode(code))
    .join('')
  startResponse('299 Fa\xe7on', [
    ['Set-Cookie', 'a=1; Path=/'],
    ['X-Between', ''],
    ['Set-Cookie', 'b=2; Path=/'],
    ["!#$%&'*+-.^_`|~x", 'legal name'],
    ['X-Latin', printable],
  ])
  return [bytes('kept')]
})

/** An application that supplies what the server would add. */
register('own_date_and_server', (_environ, startResponse) => {
  startResponse('200 OK', [
    ['date', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['sErVeR', 'the-case/1'],
  ])
  return [bytes('dated')]
})

/** Throws before startResponse. */
register('raises', (environ) => {
  throw new CaseError(`raised in the call ${tokenOf(environ)}`)
})

/** Throws after startResponse, which has sent nothing yet. */
register('raises_after_start', (environ, startResponse) => {
  startResponse('200 OK', plainText(['X-Started', '1']))
  throw new CaseError(`raised after start_response ${tokenOf(environ)}`)
})

/** Ends the process: what sys.exit() raises in Python has no counterpart. */
register('raises_system_exit', () => {
  process.exit(1)
})

/** A lazily throwing iterable: the error comes with the first chunk. */
register('raises_in_first_iteration', (environ, startResponse) => {
  const token = tokenOf(environ)
  // biome-ignore lint/correctness/useYield: it never gets that far
  function* chunks(): Generator<Uint8Array> {
    throw new CaseError(`raised in the first iteration ${token}`)
  }
  startResponse('200 OK', plainText())
  return new Closing(token, chunks())
})

/** The error comes when the client has part of the body. */
register('raises_in_later_iteration', (environ, startResponse) => {
  const token = tokenOf(environ)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield bytes('part')
    await gate(token, 'seen')
    throw new CaseError(`raised in a later iteration ${token}`)
  }
  startResponse(
    '200 OK',
    environ.HTTP_X_LENGTH === '1' ? plainText(['Content-Length', '1000']) : plainText(),
  )
  return new AsyncClosing(token, chunks())
})

/** An answer without a body, of the status that the request names. */
register('ends', (environ, startResponse) => {
  startResponse(environ.HTTP_X_STATUS ?? '', [])
  return []
})
