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

const ASGI = 'is for ASGI applications; Monoceros serves WSGI. Use an ASGI server'

/** Classes that people have, and what to do. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/eventlet/i, 'is not supported. Install gevent, and use -k gevent'],
  [
    /tornado/i,
    "is not supported. Use Tornado's own server for a Tornado application, and sync, gthread or " +
      'gevent for a WSGI application',
  ],
  [/asgi|uvicorn|hypercorn|uvloop|h11worker/i, ASGI],
  [/aiohttp/i, "is for aiohttp applications. Use aiohttp's own server"],
  [/websocket/i, 'is for WebSockets, which are not supported. Use gevent for everything else'],
  [/meinheld/i, 'is not supported. Use gthread or gevent'],
]

/**
 * Reads a worker class by any of Gunicorn's names.
 *
 * @returns the value to use, or the error message
 * @example readWorkerClass('egg:gunicorn#gevent') // { value: 'gevent' }
 */
export function readWorkerClass(text: string): { value: WorkerClass } | { refused: string } {
  const name = text
    .trim()
    .replace(/^egg:gunicorn#/i, '')
    .replace(/^#+/, '')
  const short = name.replace(/^gunicorn\.workers\.(sync|gthread|ggevent)\./, '')
  const found = Object.hasOwn(CLASSES, short) ? CLASSES[short] : undefined
  if (found !== undefined) return { value: found }
  const advice = ADVICE.find(([pattern]) => pattern.test(name))?.[1]
  const why = advice ?? 'is not a class that Monoceros has. Use sync, gthread or gevent'
  return { refused: `"${name}" ${why}` }
}
