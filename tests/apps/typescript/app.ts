import { appendFileSync } from 'node:fs'
import type { StartResponse, WSGIBody, WSGIEnvironment } from '../../../src/wsgi/types.ts'

// What the tests serve with the command. Types only are imported, so that it runs wherever
// TypeScript does.

const text = (value: string) => new TextEncoder().encode(value)

/** Notes what happened, for tests that look from outside. */
function note(event: string): void {
  if (process.env.TEST_EVENTS) appendFileSync(process.env.TEST_EVENTS, `${event}\n`)
}

type Route = (
  environ: WSGIEnvironment,
  startResponse: StartResponse,
) => WSGIBody | Promise<WSGIBody>

const routes: Record<string, Route> = {
  '/': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return [text(`pid ${process.pid}\n`), text(`${environ.REQUEST_METHOD}\n`)]
  },
  '/environ': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'application/json']])
    return [text(JSON.stringify(environ))]
  },
  '/ignores-body': (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return [text('ignored\n')]
  },
  '/echo': (environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'application/octet-stream']])
    const input = environ['wsgi.input']
    return (async function* () {
      for (;;) {
        const piece = await input.read1!(65536)
        if (piece.length === 0) return
        yield piece
      }
    })()
  },
  '/count': async (environ, startResponse) => {
    let count = 0
    for (;;) {
      const piece = await environ['wsgi.input'].read(65536)
      if (piece.length === 0) break
      count += piece.length
    }
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return [text(`${count}\n`)]
  },
  '/download': (environ, startResponse) => {
    const size = Number(new URLSearchParams(environ.QUERY_STRING).get('size'))
    startResponse('200 OK', [['Content-Type', 'application/octet-stream']])
    // A plain generator that always has more: it must leave the others their turn.
    return (function* () {
      const piece = new Uint8Array(65536)
      for (let left = size; left > 0; left -= piece.length)
        yield piece.subarray(0, Math.min(left, piece.length))
    })()
  },
  '/endless': (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/event-stream']])
    note('begun')
    const body = (async function* () {
      try {
        yield text('data: 1\n\n')
        await new Promise(() => {}) // an event that never comes
      } finally {
        note('finally')
      }
    })()
    return Object.assign(body, { close: () => note('close') })
  },
  '/throw': () => {
    throw new Error('thrown on purpose')
  },
  '/throw-in-body': (_environ, startResponse) => {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return (async function* () {
      yield text('some\n')
      throw new Error('thrown in the middle')
    })()
  },
  '/bad-header': (_environ, startResponse) => {
    startResponse('200 OK', [['X-Split', 'a\r\nX-Forged: yes']])
    return [text('never\n')]
  },
  '/uncaught': (_environ, startResponse) => {
    setTimeout(() => {
      throw new Error('thrown where nobody catches')
    }, 1)
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return [text('soon\n')]
  },
  '/hang': () => {
    for (;;) {
      // never lets go
    }
  },
  '/errors': (environ, startResponse) => {
    environ['wsgi.errors'].write('a complaint\n')
    startResponse('204 No Content', [])
    return []
  },
}

export function app(
  environ: WSGIEnvironment,
  startResponse: StartResponse,
): WSGIBody | Promise<WSGIBody> {
  const route = routes[environ.PATH_INFO]
  if (route !== undefined) return route(environ, startResponse)
  startResponse('404 Not Found', [['Content-Type', 'text/plain']])
  return [text('not found\n')]
}

/** An application that is an object. */
export class Greeter {
  readonly greeting: string

  constructor(greeting: string) {
    this.greeting = greeting
  }

  wsgi(_environ: WSGIEnvironment, startResponse: StartResponse): WSGIBody {
    startResponse('200 OK', [['Content-Type', 'text/plain']])
    return [text(`${this.greeting}\n`)]
  }
}

export const nested = { greeter: new Greeter('nested') }

export async function create(greeting: string, options: { times?: number } = {}): Promise<Greeter> {
  return new Greeter(greeting.repeat(options.times ?? 1))
}

export const notAnApplication = 42

// biome-ignore lint/style/noDefaultExport: what is served when no name is given
export default app
