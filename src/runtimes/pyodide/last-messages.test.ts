import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import { expect, it } from 'vitest'
import { takeLastMessages } from './last-messages.ts'

it('takes what a thread sent before it ended while this process was busy', async () => {
  const { port1, port2 } = new MessageChannel()
  const taken: unknown[] = []
  port1.on('message', (message) => taken.push(message))
  const go = new Int32Array(new SharedArrayBuffer(4))
  const source = `
    const { port, go } = require('node:worker_threads').workerData
    Atomics.wait(go, 0, 0)
    port.postMessage('first')
    port.postMessage('last')
    process.exit(1)`
  const workerData = { port: port2, go }
  const thread = new Worker(source, { eval: true, workerData, transferList: [port2] })
  await once(thread, 'online')
  // Made after the port of the thread, so that the loop does not come to that one again before it
  // hears of the thread's end.
  const busy = new MessageChannel()
  busy.port1.on('message', () => {
    Atomics.store(go, 0, 1)
    Atomics.notify(go, 0)
    const end = performance.now() + 500 // the thread ends meanwhile, or the test shows nothing
    while (performance.now() < end);
  })
  busy.port2.postMessage('be busy')
  await new Promise<void>((resolve) => {
    thread.once('exit', () => {
      takeLastMessages(port1, (message) => taken.push(message))
      resolve()
    })
  })
  expect(taken).toEqual(['first', 'last'])
  takeLastMessages(port1, () => taken.push('again'))
  for (const port of [port1, busy.port1]) port.close()
  takeLastMessages(port1, () => taken.push('of a closed port'))
  expect(taken).toHaveLength(2)
})
