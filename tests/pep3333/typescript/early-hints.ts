import type { ResponseHeaders } from '../../../src/wsgi/types.ts'
import { bytes, note, plainText, register, tokenOf } from './registry.ts'

// Early hints, an extension that Gunicorn has too: `wsgi.early_hints`.

/** Hints before startResponse, and between it and the body. */
register('hints_twice', (environ, startResponse) => {
  const hints = environ['wsgi.early_hints']
  hints?.([
    ['Link', '</a.css>; rel=preload'],
    ['X-More', 'caf\xe9'],
  ])
  startResponse('200 OK', plainText())
  hints?.([['Link', '</b.js>; rel=preload']])
  return [bytes('done')]
})

/** Hints when the head of the response is on its way. */
register('hints_late', (environ, startResponse) => {
  startResponse('200 OK', plainText())
  function* body(): Generator<Uint8Array> {
    yield bytes('a')
    environ['wsgi.early_hints']?.([['Link', '</late.css>; rel=preload']])
    yield bytes('b')
  }
  return body()
})

/** Hints that would split the response. */
register('hints_wrong', (environ, startResponse) => {
  const wrong: Record<string, ResponseHeaders> = {
    value: [['X', 'a\r\nX-Forged: b']],
    name: [['X: y\r\nX-Forged', 'b']],
  }
  try {
    environ['wsgi.early_hints']?.(wrong[String(environ.HTTP_X_WRONG)]!)
  } catch {
    note(tokenOf(environ), 'raised')
  }
  startResponse('200 OK', plainText())
  return [bytes('done')]
})
