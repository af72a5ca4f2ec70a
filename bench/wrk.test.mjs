// Run with: npm run test:bench. Without wrk there is nothing to test.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { runWrk } from './wrk.mjs'

const skip = spawnSync('wrk', ['-v']).error ? 'wrk is not on PATH' : false

/** Serves with a handler of sockets, and drives it. */
async function drive(context, handler, load) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    handler(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set()
  server.on('connection', (socket) => sockets.add(socket))
  context.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return runWrk({
    url: `http://127.0.0.1:${server.address().port}/`,
    connections: 4,
    seconds: 1,
    method: 'GET',
    bodySize: 0,
    signal: AbortSignal.timeout(30_000),
    ...load,
  })
}

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'

test('connections that are never answered are counted', { skip }, async (context) => {
  const { requests, unanswered, p99 } = await drive(context, (socket) => socket.resume())
  assert.deepEqual([requests, unanswered, p99], [0, 4, Number.NaN])
})

test('connections that are closed without an answer are errors', { skip }, async (context) => {
  const { requests, errors } = await drive(context, (socket) =>
    socket.on('data', () => socket.end()),
  )
  assert.equal(requests, 0)
  assert.ok(errors > 4, `${errors}`)
})

test('responses with a status above 399 are errors', { skip }, async (context) => {
  const { requests, errors } = await drive(context, (socket) =>
    socket.on('data', () => socket.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n')),
  )
  assert.ok(requests > 0)
  assert.equal(errors, requests)
})

test('an answer that takes longer than two seconds is in the percentiles, and no error', {
  skip,
}, async (context) => {
  const late = (socket) =>
    socket.on('data', () => setTimeout(() => socket.write(ANSWER), 2300).unref())
  const { requests, errors, p50 } = await drive(context, late, { seconds: 3 })
  assert.deepEqual([requests, errors], [4, 0])
  assert.ok(p50 >= 2200, `${p50} ms`)
})

test('marks tell how many requests were sent, and when', { skip }, async (context) => {
  const marks = []
  const { requests } = await drive(
    context,
    (socket) => socket.on('data', () => socket.write(ANSWER)),
    {
      marks: { seconds: [0.2, 0.8], seen: (mark) => marks.push(mark) },
    },
  )
  assert.equal(marks.length, 2)
  const [a, b] = marks
  assert.ok(Math.abs(b.time - a.time - 0.6) < 0.2, `${b.time - a.time} s`)
  assert.ok(0 < a.requests && a.requests < b.requests && b.requests <= requests + 4)
})

test('a request has as many header fields as are asked for', { skip }, async (context) => {
  for (const fields of [5, 20, 60]) {
    let head = ''
    await drive(
      context,
      (socket) =>
        socket.on('data', (data) => {
          head ||= data.toString('latin1')
          socket.write(ANSWER)
        }),
      { fields },
    )
    assert.equal(head.split('\r\n\r\n', 1)[0].split('\r\n').length - 1, fields)
  }
})
