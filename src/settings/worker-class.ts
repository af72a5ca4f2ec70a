/** The names that Gunicorn has for classes of workers, and what they are here. */

type WorkerClass = 'sync' | 'gthread' | 'gevent'

/** By Gunicorn's short names and by the last part of its long ones. */
const CLASSES: Readonly<Record<string, WorkerClass>> = {
  sync: 'sync',
  SyncWorker: 'sync',
  gthread: 'gthread',
  ThreadWorker: 'gthread',
  gevent: 'gevent',
  GeventWorker: 'gevent',
  // Gunicorn's variants with gevent's own HTTP server.
  gevent_wsgi: 'gevent',
  gevent_pywsgi: 'gevent',
  GeventPyWSGIWorker: 'gevent',
}

const ASGI = 'is for ASGI applications, and Monoceros serves WSGI: use an ASGI server'

/** Classes that people have, and what to do. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/eventlet/i, 'is not supported: install gevent, and use -k gevent'],
  [
    /tornado/i,
    'is not supported: run an application of Tornado with its own server, and a WSGI application ' +
      'with sync, gthread or gevent',
  ],
  [/asgi|uvicorn|hypercorn|uvloop|h11worker/i, ASGI],
  [/aiohttp/i, 'is for applications of aiohttp: use its own server'],
  [/websocket/i, 'is for WebSockets, which are not supported: use gevent for the rest'],
  [/meinheld/i, 'is not supported: use gthread or gevent'],
]

/**
 * Reads a worker class by any of Gunicorn's names.
 *
 * @returns the value to use, or what was expected, for the error message
 * @example readWorkerClass('egg:gunicorn#gevent') // { value: 'gevent' }
 */
export function readWorkerClass(text: string): { value: WorkerClass } | { expected: string } {
  const name = text
    .trim()
    .replace(/^egg:gunicorn#/i, '')
    .replace(/^#+/, '')
  const short = name.replace(/^gunicorn\.workers\.(sync|gthread|ggevent)\./, '')
  const found = Object.hasOwn(CLASSES, short) ? CLASSES[short] : undefined
  if (found !== undefined) return { value: found }
  const advice = ADVICE.find(([pattern]) => pattern.test(name))?.[1]
  const why = advice ?? 'is a class of its own, which needs Gunicorn'
  return { expected: `sync, gthread or gevent (${name} ${why})` }
}
