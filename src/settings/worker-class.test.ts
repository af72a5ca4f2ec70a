import { expect, test } from 'vitest'
import { readWorkerClass } from './worker-class.ts'

test.each([
  ['sync', 'sync'],
  ['gunicorn.workers.sync.SyncWorker', 'sync'],
  ['egg:gunicorn#sync', 'sync'],
  ['gthread', 'gthread'],
  ['gunicorn.workers.gthread.ThreadWorker', 'gthread'],
  ['gevent', 'gevent'],
  ['#gevent', 'gevent'],
  [' gevent ', 'gevent'],
  ['egg:gunicorn#gevent', 'gevent'],
  ['gunicorn.workers.ggevent.GeventWorker', 'gevent'],
  ['gunicorn.workers.ggevent.GeventPyWSGIWorker', 'gevent'],
  ['gevent_wsgi', 'gevent'],
  ['gevent_pywsgi', 'gevent'],
])('%s is %s', (name, value) => {
  expect(readWorkerClass(name)).toEqual({ value })
})

test.each([
  ['eventlet', 'Install gevent, and use -k gevent'],
  ['gunicorn.workers.geventlet.EventletWorker', 'Install gevent'],
  ['tornado', 'own server'],
  ['gunicorn.workers.gtornado.TornadoWorker', 'own server'],
  ['asgi', 'Use an ASGI server'],
  ['uvicorn.workers.UvicornWorker', 'Use an ASGI server'],
  ['uvicorn_worker.UvicornWorker', 'Use an ASGI server'],
  ['aiohttp.worker.GunicornWebWorker', "Use aiohttp's own server"],
  ['egg:meinheld#gunicorn_worker', 'Use gthread or gevent'],
  ['geventwebsocket.gunicorn.workers.GeventWebSocketWorker', 'WebSockets'],
  ['mysite.workers.GeventWorker', 'is not a class that Monoceros has. Use sync, gthread or gevent'],
  ['toString', 'is not a class'],
])('%s is refused, with what to do', (name, advice) => {
  expect(readWorkerClass(name)).toEqual({
    refused: expect.stringMatching(
      new RegExp(`^"${name.replace(/^egg:gunicorn#/, '')}" .*${advice}`),
    ),
  })
})
