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
  ['eventlet', 'install gevent, and use -k gevent'],
  ['gunicorn.workers.geventlet.EventletWorker', 'install gevent'],
  ['tornado', 'its own server'],
  ['gunicorn.workers.gtornado.TornadoWorker', 'its own server'],
  ['asgi', 'use an ASGI server'],
  ['uvicorn.workers.UvicornWorker', 'use an ASGI server'],
  ['uvicorn_worker.UvicornWorker', 'use an ASGI server'],
  ['aiohttp.worker.GunicornWebWorker', 'use its own server'],
  ['egg:meinheld#gunicorn_worker', 'use gthread or gevent'],
  ['geventwebsocket.gunicorn.workers.GeventWebSocketWorker', 'WebSockets'],
  ['mysite.workers.GeventWorker', 'is a class of its own, which needs Gunicorn'],
  ['toString', 'is a class of its own'],
])('%s is refused, with what to do', (name, advice) => {
  expect(readWorkerClass(name)).toEqual({
    expected: expect.stringMatching(
      new RegExp(`^sync, gthread or gevent \\(${name.replace('.', '\\.')}.* .*${advice}`),
    ),
  })
})
